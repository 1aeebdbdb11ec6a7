// SPDX-License-Identifier: ISC
/*
 * Collects what /docs and /redoc need into one directory, with the licenses of everything that is in it.
 * Usage: node collect.mjs NODE_MODULES OURS OUT
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [modules, ours, out] = process.argv.slice(2);
const OURS = ["swagger.html", "swagger-start.js", "redoc.html", "redoc-start.js"];
const THEIRS = ["swagger-ui-dist/swagger-ui-bundle.js", "swagger-ui-dist/swagger-ui.css", "redoc/bundles/redoc.standalone.js"];
/* Addresses that a browser would fetch on its own. */
const LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg";

/* Every package below a directory, scopes too. */
function packagesIn(folder) {
	return readdirSync(folder).filter((name) => !name.startsWith(".")).flatMap((name) => {
		const path = join(folder, name);
		if (name.startsWith("@"))
			return packagesIn(path);
		if (!existsSync(join(path, "package.json")))
			return [];
		const inner = join(path, "node_modules");
		return [path, ...(existsSync(inner) ? packagesIn(inner) : [])];
	});
}

function licenseOf(path) {
	const about = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
	const texts = readdirSync(path).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name) &&
		statSync(join(path, name)).isFile()).sort();
	const license = about.license?.type ?? about.license ?? about.licenses?.map((one) => one.type).join(", ") ?? "see below";
	return { title: `${about.name} ${about.version} (${license})`,
		text: texts.map((name) => readFileSync(join(path, name), "utf8").trim()).join("\n\n") };
}

function notice() {
	const line = "-".repeat(72);
	const parts = packagesIn(modules).map(licenseOf).sort((a, b) => a.title < b.title ? -1 : 1);
	const bundled = ["swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt", "redoc/bundles/redoc.standalone.js.LICENSE.txt"]
		.map((name) => `Notices inside ${name.replace(".LICENSE.txt", "")}\n\n${readFileSync(join(modules, name), "utf8").trim()}`);
	return ["Swagger UI and Redoc, served at /docs and /redoc, are the work of others. They and what they contain,",
		"with their licenses:", "", ...parts.map((part) => `${line}\n${part.title}\n\n${part.text}\n`),
		...bundled.map((text) => `${line}\n${text}\n`)].join("\n");
}

mkdirSync(out, { recursive: true });
for (const name of OURS)
	copyFileSync(join(ours, name), join(out, name));
for (const path of THEIRS) {
	const name = path.split("/").pop();
	const text = readFileSync(join(modules, path), "utf8").replaceAll(LOGO, "/static/favicon.svg")
		.replace(/\n?(\/\/|\/\*)# sourceMappingURL=\S+( \*\/)?\s*$/, "\n");
	writeFileSync(join(out, name), text);
}
writeFileSync(join(out, "docs-notice.txt"), notice());
