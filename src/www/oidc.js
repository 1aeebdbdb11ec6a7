// SPDX-License-Identifier: ISC
/*
 * Signing in through identity providers: buttons at the door, the code in the address after the return, and the linked
 * accounts. A code is accepted only in the tab that began the sign-in, so that no link of somebody else can sign this
 * page in to another account.
 */
import { call } from "./api.js";
import { $, attempt, el, notice, wireDialog } from "./dom.js";
import { confirmation } from "./factor.js";

const KEY = "parlour.oidc";
const SENTENCES = {
	access_denied: "The sign-in was cancelled at the provider.",
	expired: "The sign-in took too long, or began in another browser. Try again.",
	invalid_token: "The server could not verify the reply of the provider. Ask its operator.",
	login_ended: "Your login session has ended. Sign in again.",
	no_account: "No account is linked to this one. Sign in with your password, and link it under Security.",
	provider_error: "The provider does not respond as it should. Try again later.",
	refused: "This account cannot sign in now.",
	taken: "That account is linked to another user.",
	unavailable: "The server cannot be reached. Try again.",
};

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_")
	.replaceAll("=", "");

async function providers() {
	try {
		const response = await fetch("/api/auth/oidc", { headers: { Accept: "application/json" }, cache: "no-store" });
		return response.ok ? await response.json() : [];
	} catch {
		return [];
	}
}

/* crypto.subtle exists only with https and on localhost; elsewhere, only this page ties the code to the tab. */
async function begin(provider, keep) {
	const verifier = base64url(crypto.getRandomValues(new Uint8Array(48)));
	const query = new URLSearchParams();
	if (crypto.subtle)
		query.set("challenge", base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
	sessionStorage.setItem(KEY, JSON.stringify({ keep, verifier: crypto.subtle ? verifier : null }));
	location.assign(`${provider.start_path}?${query}`);
}

/** Buttons for the configured providers. keep(): whether the user wants to stay signed in. */
export async function paintProviders(keep) {
	const list = await providers();
	$("door-oidc").replaceChildren(...list.map((provider) => el("button", { type: "button",
		on: { click: () => attempt(() => begin(provider, keep()), $("door-error")) } }, `Sign in with ${provider.label}`)));
}

/**
 * Returns what the server put into the address when the browser came back, and removes it from there: { body, keep }
 * for the token route, { error: sentence }, { linked: true }, or null.
 */
export function returned() {
	const fragment = new URLSearchParams(location.hash.slice(1));
	const code = fragment.get("oidc_code"), error = fragment.get("oidc_error"), linked = fragment.get("oidc_linked");
	if (code === null && error === null && linked === null)
		return null;
	const began = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
	sessionStorage.removeItem(KEY);
	history.replaceState(null, "", location.pathname);
	if (error !== null)
		return { error: SENTENCES[error] ?? "The sign-in failed. Try again." };
	if (linked !== null)
		return { linked: true };
	if (began === null)
		return { error: "This sign-in did not begin in this tab. Try again." };
	return { keep: began.keep, body: began.verifier === null ? { code } : { code, verifier: began.verifier } };
}

/* ---- linked accounts ---- */

async function paintLinks() {
	const [list, links] = [await providers(), await call("GET", "/api/profile/identities")];
	const labelOf = (name) => list.find((provider) => provider.name === name)?.label ?? name;
	$("oidc-links").replaceChildren(...links.map((link) => el("li", {}, `${labelOf(link.provider)}: ${link.email ?? link.subject} `,
		el("button", { type: "button", class: "small", on: { click: () => unlink(link) } }, "Unlink"))));
	$("oidc-providers").replaceChildren(...list.map((provider) => el("button", { type: "button", class: "small",
		on: { click: () => attempt(() => link(provider), $("oidc-error")) } }, `Link ${provider.label}`)));
}

async function link(provider) {
	const { url } = await call("POST", "/api/profile/identities",
		{ provider: provider.name, ...confirmation($("oidc-password").value, $("oidc-code").value) });
	location.assign(url);
}

/* A request with the method DELETE has no body. */
const unlink = (link) => attempt(async () => {
	const { password, code, recovery_code: recovery } = confirmation($("oidc-password").value, $("oidc-code").value);
	const headers = {};
	if (password)
		headers["X-Current-Password"] = base64url(new TextEncoder().encode(password));
	if (code ?? recovery)
		headers["X-Mfa-Code"] = code ?? recovery;
	await call("DELETE", `/api/profile/identities/${link.id}`, undefined, { headers });
	await paintLinks();
}, $("oidc-error"));

/** The dialog of linked accounts, if there are providers. */
export async function wireLinks() {
	wireDialog($("oidc-dialog"));
	$("oidc-open").hidden = (await providers()).length === 0;
	$("oidc-open").addEventListener("click", () => attempt(async () => {
		$("oidc-password").value = $("oidc-code").value = "";
		await paintLinks();
		$("factor-dialog").close();
		$("oidc-dialog").showModal();
	}, $("factor-error")));
}

/** After the return from linking. */
export function sayReturned({ error }) {
	notice(error ?? "The account is linked. You can sign in with it from now on.", error !== undefined);
}
