// SPDX-License-Identifier: ISC
/*
 * The dialog of the user's e-mail address: whether it is verified, another verification link, and a change of the
 * address. The server mails the links; verify.js is the page that they open.
 */
import { call } from "./api.js";
import { $, attempt, wireDialog } from "./dom.js";
import { confirmation } from "./factor.js";

let username = "";

async function paint() {
	const me = await call("GET", "/api/auth/me");
	username = me.username;
	$("email-now").textContent = me.email ? `${me.email} (${me.email_verified ? "verified" : "not verified"})` :
		"This account has no e-mail address.";
	$("email-send").hidden = !me.email || me.email_verified;
}

async function act(button, work) {
	$("email-said").textContent = "";
	button.disabled = true;
	await attempt(async () => {
		const { message } = await work();
		await paint();
		$("email-said").textContent = message;
	}, $("email-error"));
	button.disabled = false;
}

function change(event) {
	event.preventDefault();
	act($("email-change"), async () => {
		const reply = await call("POST", "/api/profile/email",
			{ email: $("email-new").value.trim(), ...confirmation($("email-password").value, $("email-code").value) });
		$("email-form").reset();
		return reply;
	});
}

export function wireEmail() {
	wireDialog($("email-dialog"));
	$("email-open").hidden = false;
	$("email-open").addEventListener("click", () => attempt(async () => {
		await paint();
		$("email-said").textContent = "";
		$("factor-dialog").close();
		$("email-dialog").showModal();
	}, $("factor-error")));
	$("email-send").addEventListener("click", () => act($("email-send"), () =>
		call("POST", "/api/auth/email/verification", { username })));
	$("email-form").addEventListener("submit", change);
}
