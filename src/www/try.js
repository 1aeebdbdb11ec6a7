// SPDX-License-Identifier: ISC
/*
 * "Try it" of the API reference: a form per route, the request as a curl command, the reply with its headers. If this
 * browser is signed in to the chat page, its token is used.
 */
import { failureOf, session } from "./api.js";
import { $, el } from "./dom.js";

export function wireLogin() {
	const now = session();
	if (now?.access) {
		$("token").value = now.access;
		$("who").textContent = `Signed in as ${now.user?.username}`;
	}
	$("login").addEventListener("submit", async (event) => {
		event.preventDefault();
		$("login-error").textContent = "";
		try {
			const response = await fetch("/api/auth/login", { method: "POST",
				headers: { "Content-Type": "application/json" },
				body: JSON.stringify({ username: $("login-name").value,
					password: $("login-password").value }) });
			if (!response.ok)
				throw await failureOf(response);
			const tokens = await response.json();
			$("token").value = tokens.access_token;
			$("who").textContent = `Signed in as ${tokens.user.username}`;
			$("login-password").value = "";
		} catch (why) {
			$("login-error").textContent = why.sentence ?? "The server cannot be reached.";
		}
	});
}

/* A value to start from: the required members, or all if none is required. */
function example(schema, resolve, depth = 0) {
	const s = resolve(schema), type = [s.type ?? "object"].flat()[0];
	if (s.enum)
		return s.enum[0];
	if (type === "string")
		return { email: "ann@example.org", uuid: "00000000-0000-4000-8000-000000000000",
			password: "correct horse" }[s.format] ?? "";
	if (type === "integer" || type === "number")
		return s.minimum ?? 1;
	if (type === "boolean")
		return false;
	if (type === "array")
		return [];
	const names = Object.keys(s.properties ?? {}), required = names.filter((name) => s.required?.includes(name));
	return depth > 3 ? {} : Object.fromEntries((required.length ? required : names).map((name) =>
		[name, example(s.properties[name], resolve, depth + 1)]));
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curlLine({ method, url, headers, body }) {
	const parts = ["curl", "-sS", method === "GET" ? "" : `-X ${method}`, quote(url),
		...Object.entries(headers).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`), body ?
			`-d ${quote(body)}` : ""];
	return parts.filter(Boolean).join(" ");
}

/* The request that the form describes. */
function requestOf({ method, path, operation, base }, form) {
	const values = new Map([...form.querySelectorAll("[data-in]")].map((input) => [input, input.value]));
	const query = new URLSearchParams(), headers = { Accept: "application/json" };
	let filled = path;
	for (const [input, value] of values) {
		if (input.dataset.in === "path")
			filled = filled.replace(`{${input.name}}`, encodeURIComponent(value));
		else if (input.dataset.in === "query" && value !== "")
			query.set(input.name, value);
		else if (input.dataset.in === "header" && value !== "")
			headers[input.name] = value;
	}
	const token = $("token").value.trim();
	if (operation.security?.length && token)
		headers.Authorization = `Bearer ${token}`;
	const body = form.querySelector("textarea")?.value;
	if (body)
		headers["Content-Type"] = "application/json";
	const local = filled + (query.size ? `?${query}` : "");
	return { method: method.toUpperCase(), local, url: new URL(base.replace(/\/$/, "") + local,
		location.origin).href, headers, body };
}

function pretty(text) {
	try {
		return JSON.stringify(JSON.parse(text), null, 2);
	} catch {
		return text;
	}
}

async function run(request, output) {
	output.hidden = false;
	output.replaceChildren(el("p", { class: "dim" }, "…"));
	const started = performance.now();
	try {
		const { method, headers, body } = request;
		const response = await fetch(request.local, { method, headers, body: body || undefined,
			cache: "no-store" });
		const text = await response.text(), ms = Math.round(performance.now() - started);
		output.replaceChildren(
			el("p", {}, el("code", { class: response.ok ? "good" : "bad" },
				`${response.status} ${response.statusText}`), ` in ${ms} ms`),
			el("details", {}, el("summary", {}, "Headers"), el("pre", {},
				[...response.headers].map(([k, v]) => `${k}: ${v}`).join("\n"))),
			text ? el("pre", {}, pretty(text.slice(0, 200000))) : el("p", { class: "dim" }, "no body"));
	} catch {
		output.replaceChildren(el("p", { class: "bad" }, "The server cannot be reached."));
	}
}

function field(param) {
	return el("label", {}, `${param.name}${param.required ? " *" : ""}`, el("input", { name: param.name,
		"data-in": param.in,
		required: Boolean(param.required), placeholder: param.in, autocomplete: "off" }));
}

/** The form of one route. `resolve` follows $ref. */
export function tryForm(route) {
	const { operation, resolve } = route;
	const schema = operation.requestBody?.content?.["application/json"]?.schema;
	const output = el("div", { class: "output", hidden: true, "aria-live": "polite" });
	const copy = el("button", { type: "button" }, "Copy as curl");
	const form = el("form", { class: "try" }, ...(operation.parameters ?? []).map(field),
		schema && el("label", { class: "wide" }, "Body", el("textarea", { rows: 6, spellcheck: "false" },
			JSON.stringify(example(schema, resolve), null, 2))),
		el("div", { class: "wide buttons" }, el("button", { type: "submit", class: "primary" }, "Send"), copy),
			output);
	form.addEventListener("submit", (event) => {
		event.preventDefault();
		run(requestOf(route, form), output);
	});
	copy.addEventListener("click", async () => {
		const line = curlLine(requestOf(route, form));
		try {
			await navigator.clipboard.writeText(line);
			copy.textContent = "Copied";
			setTimeout(() => {
				copy.textContent = "Copy as curl";
			}, 1500);
		} catch {
			output.hidden = false; /* the clipboard requires TLS: the command is shown instead */
			output.replaceChildren(el("pre", {}, line));
		}
	});
	return el("div", {}, el("h4", {}, "Try it"), form);
}
