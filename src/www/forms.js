// SPDX-License-Identifier: ISC
/*
 * Forms of the account dialog: fields, what confirms a sensitive act, secrets that are shown once, and times.
 */
import { call } from "./api.js";
import { $, attempt, el, wireDialog } from "./dom.js";
import { proofOf } from "./factor.js";

/** A labeled input: { input, label }. */
export function field(text, attributes = {}) {
	const input = el("input", { autocomplete: "off", spellcheck: "false", ...attributes });
	return { input, label: el("label", {}, text, input) };
}

/** A labeled choice: { input, label }. options: [[value, text] ...]; the first one is chosen. */
export function choice(text, id, options) {
	const input = el("select", { id }, options.map(([value, shown]) => el("option", { value: String(value) }, shown)));
	return { input, label: el("label", {}, text, input) };
}

export const submitter = (text, attributes = {}) => el("button", { type: "submit", class: "primary", ...attributes }, text);

/** A form whose button is off while submit() runs; errors are shown below the form. */
export function form(id, submit, ...children) {
	const act = async (event) => {
		event.preventDefault();
		const { submitter: button } = event;
		button.disabled = true;
		await attempt(() => submit(), $("account-error"));
		button.disabled = false;
	};
	return el("form", { id, on: { submit: act } }, ...children);
}

/** A small button; errors of act() are shown below the form. */
export function small(text, act, attributes = {}) {
	return el("button", { type: "button", class: "small", ...attributes,
		on: { click: () => attempt(act, $("account-error")) } }, text);
}

/** Shows a page of the account dialog. */
export function showPage(title, ...nodes) {
	const dialog = $("account-dialog");
	$("account-title").textContent = title;
	$("account-error").textContent = "";
	$("account-body").replaceChildren(...nodes.filter((node) => node));
	$("factor-dialog").close();
	if (!dialog.open)
		dialog.showModal();
}

/** Lets a button of the dialog Security open a page. */
export function wirePage(id, open) {
	$(id).hidden = false;
	$(id).addEventListener("click", () => attempt(open, $("factor-error")));
}

export function wirePages() {
	wireDialog($("account-dialog"));
	$("account-dialog").addEventListener("close", () => $("account-body").replaceChildren()); /* no secret stays behind */
}

/**
 * Fields for what confirms a sensitive act, as the account has it: password, second factor. nodes: to show; body(name): for the
 * request, with the password as `name`. An account without a password needs a new sign-in instead, and the server says so.
 */
export async function confirmation() {
	const state = await call("GET", "/api/auth/mfa");
	const password = state.has_password === false ? null : field("Current password",
		{ id: "account-password", type: "password", required: true, autocomplete: "current-password" });
	const code = state.totp ? field("Code of the app, or a recovery code",
		{ id: "account-code", required: true, autocomplete: "one-time-code", maxlength: "40" }) : null;
	return { nodes: [password?.label, code?.label], body: (name = "password") => ({
		...(password ? { [name]: password.input.value } : {}), ...(code ? proofOf(code.input.value) : {}) }) };
}

/** A secret that is shown once, with a button that copies it. */
export function secret(id, text) {
	const node = el("code", { id, class: "secret", tabindex: "0" }, text);
	const button = el("button", { type: "button", class: "small", on: { click: async () => {
		getSelection().selectAllChildren(node);
		try {
			await navigator.clipboard.writeText(text);
			button.textContent = "Copied";
		} catch {
			button.textContent = "Press Ctrl+C"; /* without TLS, pages have no clipboard; the text is selected */
		}
	} } }, "Copy");
	return el("p", { class: "secret-row" }, node, button);
}

const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
export const when = (iso, never) => iso ? date.format(new Date(iso)) : never;
