// SPDX-License-Identifier: ISC
/*
 * The API reference: /openapi.json as a page, routes by tag, schemas as tables that contain the schemas they refer to.
 */
import { $, el } from "./dom.js";
import { tryForm, wireLogin } from "./try.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];

let api = null;

/* Resolves a $ref of the description; returns other values unchanged. */
export function resolve(value) {
	if (!value?.$ref)
		return value ?? {};
	return value.$ref.split("/").slice(1).reduce((node, name) => node?.[name], api) ?? {};
}

const nameOf = (schema) => schema?.$ref?.split("/").pop();

/* "integer or null, 1 to 200" */
function typeText(schema) {
	const name = nameOf(schema);
	if (name)
		return name;
	const choices = schema.oneOf ?? schema.allOf;
	if (choices)
		return choices.map(typeText).join(schema.oneOf ? " or " : " and ");
	if (schema.additionalProperties?.type)
		return `object of ${typeText(schema.additionalProperties)}`;
	const types = [schema.type ?? "any"].flat().map((type) => type === "array" ?
		`array of ${typeText(schema.items ?? {})}` : type);
	const text = types.join(" or ") + (["int64", "double", undefined].includes(schema.format) ? "" : ` (${schema.format})`);
	const least = schema.minimum ?? schema.minLength, most = schema.maximum ?? schema.maxLength;
	const unit = schema.minLength !== undefined || schema.maxLength !== undefined ? " long" : "";
	if (least !== undefined && most !== undefined)
		return `${text}, ${least} to ${most}${unit}`;
	if (least !== undefined)
		return `${text}, from ${least}${unit}`;
	return most !== undefined ? `${text}, up to ${most}${unit}` : text;
}

function words(schema) {
	const list = (schema.enum ?? []).filter((word) => word !== null);
	if (list.length === 0)
		return null;
	return el("div", { class: "words" }, ...list.flatMap((word) => [el("code", {}, String(word)), " "]));
}

const star = () => el("span", { class: "required", title: "required" }, " *");

/*
 * One member; a schema that it refers to can be opened in place. `seen`: the schemas around it, so that no schema
 * contains itself.
 */
function member(name, schema, isRequired, seen) {
	const parts = [schema, ...(schema.oneOf ?? [])];
	const inner = parts.map((part) => nameOf(part) ?? nameOf(part.items)).find(Boolean);
	return el("tr", {},
		el("th", { scope: "row" }, el("code", {}, name), isRequired && star()),
		el("td", { class: "type" }, typeText(schema)),
		el("td", {}, schema.description ?? "", words(schema), inner && !seen.includes(inner) &&
			el("details", {}, el("summary", {}, inner), table(api.components.schemas[inner] ?? {},
				[...seen, inner]))));
}

function table(schema, seen) {
	const rows = Object.entries(schema.properties ?? {});
	if (rows.length === 0)
		return el("p", { class: "dim" }, "Any JSON value.");
	return el("table", {}, el("tbody", {}, ...rows.map(([name, value]) =>
		member(name, value, schema.required?.includes(name), seen))));
}

/** A schema with its name above it. */
function schemaBlock(whole) {
	/* A list that can also be read in pages; an error and its codes. */
	const schema = whole.oneOf?.[0] ?? whole.allOf?.[0] ?? whole;
	const codes = whole.allOf?.[1]?.properties?.code;
	if (schema !== whole)
		return el("div", {}, codes && el("p", {}, "code: ", words(codes)), schemaBlock(schema));
	const isList = schema.type === "array", inner = isList ? schema.items : schema, name = nameOf(inner);
	return el("div", { class: "schema" }, el("p", { class: "dim" }, isList ? "array of " : "",
		el("a", { href: `#schema-${name}` }, name ?? "")),
		table(resolve(inner), name ? [name] : []));
}

function params(operation) {
	const list = operation.parameters ?? [];
	if (list.length === 0)
		return null;
	return el("div", {}, el("h4", {}, "Parameters"), el("table", {}, el("tbody", {}, ...list.map((param) =>
		el("tr", {}, el("th", { scope: "row" }, el("code", {}, param.name), param.required && star()),
			el("td", { class: "type" }, `${param.in}, ${typeText(param.schema ?? { type: "string" })}`),
			el("td", {}, param.description ?? param.schema?.description ?? "",
				words(param.schema ?? {})))))));
}

function body(operation) {
	const content = operation.requestBody?.content;
	if (!content)
		return null;
	return el("div", {}, el("h4", {}, "Body ", el("span", { class: "dim" }, Object.keys(content).join(", "))),
		schemaBlock(Object.values(content)[0].schema));
}

function answer([status, value]) {
	const response = resolve(value);
	const schema = Object.values(response.content ?? {})[0]?.schema;
	const head = [el("code", { class: status.startsWith("2") ? "good" : "" }, status), ` ${response.description}`];
	if (!schema || Object.keys(schema).length === 0)
		return el("p", { class: "answer" }, ...head);
	return el("details", { class: "answer", open: status.startsWith("2") }, el("summary", {}, ...head),
		schemaBlock(schema));
}

function inside({ method, path, operation }) {
	const parts = [operation.description && el("p", {}, operation.description), params(operation), body(operation),
		el("h4", {}, "Answers"), ...Object.entries(operation.responses ?? {}).map(answer),
		tryForm({ method, path, operation, resolve, base: api.servers?.[0]?.url ?? "/" })];
	return el("div", { class: "inside" }, ...parts.filter(Boolean));
}

/* If one of several ways to authenticate is empty, no authentication is required. */
const needsToken = ({ security = [] }) => security.length > 0 && security.every((way) => Object.keys(way).length > 0);

const lock = () => el("span", { class: "lock", role: "img", title: "needs a token", "aria-label": "needs a token" });

function route({ method, path, operation }) {
	const node = el("details", { class: "route", id: operation.operationId },
		el("summary", {}, el("span", { class: `method ${method}` }, method.toUpperCase()), " ",
			el("code", { class: "path" }, path), " ",
			el("span", { class: "dim" }, operation.summary ?? ""),
			needsToken(operation) && lock()));
	/* The content is created when it is opened, so that the page is fast with many routes. */
	node.addEventListener("toggle", () => {
		if (node.open && node.childElementCount === 1)
			node.append(inside({ method, path, operation }));
	});
	return node;
}

function allRoutes() {
	const routes = [];
	for (const [path, item] of Object.entries(api.paths))
		for (const method of METHODS.filter((name) => item[name]))
			routes.push({ method, path, operation: item[method], tag: item[method].tags?.[0] ?? "other" });
	return routes;
}

/* Tags in the order of the description, then tags without a description; only those with routes. */
function usedTags(routes) {
	const used = new Set(routes.map((r) => r.tag)), described = (api.tags ?? []).filter((tag) => used.has(tag.name));
	for (const tag of described)
		used.delete(tag.name);
	return [...described, ...[...used].map((name) => ({ name }))];
}

function indexLink({ method, path, operation }) {
	return el("a", { href: `#${operation.operationId}`,
		"data-find": `${method} ${path} ${operation.summary}`.toLowerCase() },
		el("span", { class: `method ${method}` }, method.toUpperCase()), " ", path);
}

function tagSection(tag, routes) {
	return el("section", {}, el("h2", {}, tag.name, " ", el("small", { class: "dim" }, tag.description ?? "")),
		...routes.map(route));
}

function schemaSection([name, schema]) {
	return el("details", { class: "route", id: `schema-${name}` },
		el("summary", {}, el("code", {}, name), " ", el("span", { class: "dim" }, schema.description ?? "")),
		el("div", { class: "inside" }, table(schema, [name])));
}

function render() {
	const routes = allRoutes(), tags = usedTags(routes), of = (tag) => routes.filter((r) => r.tag === tag.name);
	$("name").textContent = document.title = $("title").textContent = `${api.info.title} API`;
	$("version").textContent = `OpenAPI ${api.openapi}, version ${api.info.version}`;
	$("about").textContent = api.info.description ?? "";
	$("index").replaceChildren(...tags.map((tag) => el("section", {}, el("h2", {}, tag.name), ...of(tag).map(indexLink))));
	$("routes").replaceChildren(...tags.map((tag) => tagSection(tag, of(tag))));
	$("schemas").replaceChildren(...Object.entries(api.components?.schemas ?? {}).map(schemaSection));
}

/* Opens the route or schema that the address names. */
function openNamed() {
	const node = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
	if (node?.tagName === "DETAILS") {
		node.open = true;
		node.scrollIntoView();
	}
}

function filter() {
	const text = $("filter").value.trim().toLowerCase();
	for (const link of document.querySelectorAll("#index a")) {
		link.hidden = !link.dataset.find.includes(text);
		document.querySelector(link.getAttribute("href")).hidden = link.hidden;
	}
	for (const section of document.querySelectorAll("#index section"))
		section.hidden = !section.querySelector("a:not([hidden])");
}

async function start() {
	wireLogin();
	try {
		const response = await fetch("/openapi.json");
		if (!response.ok)
			throw new Error(String(response.status));
		api = await response.json();
	} catch {
		$("routes").replaceChildren();
		$("problem").textContent = "The description of the API could not be loaded.";
		return;
	}
	render();
	openNamed();
	addEventListener("hashchange", openNamed);
	$("filter").addEventListener("input", filter);
}

start();
