// SPDX-License-Identifier: ISC
/* Prints the messages of AsyncAPI's own parser about a document, and the number of operations it found. */
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
for (const one of diagnostics)
	console.log(`${one.code} ${one.path.join(".")}: ${one.message}`);
console.log(document ? `operations: ${document.operations().length}` : "not a document");
