// SPDX-License-Identifier: ISC
/* Prints what AsyncAPI's own parser has to say about a document, and how many operations it found. */
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
for (const one of diagnostics)
	console.log(`${one.code} ${one.path.join(".")}: ${one.message}`);
console.log(document ? `operations: ${document.operations().length}` : "not a document");
