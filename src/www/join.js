// SPDX-License-Identifier: ISC
/*
 * The page that the link of an invite opens, /join/TOKEN. Opening it does not use the invite. The page shows who
 * invites into which room. A signed-in user then joins with one button; others register or sign in first.
 */
import { call, enter, events, Failure, session } from "./api.js";
import { $, attempt } from "./dom.js";
import { proofOf } from "./factor.js";

const token = location.pathname.split("/").at(-1);
let invite = null, registering = true, ticket = ""; /* ticket: of a login that also needs a code */

function show(id) {
	for (const one of ["said", "known", "form"])
		$(one).hidden = one !== id;
	if (id === "form")
		$("form-name").focus();
}

function say(title, text) {
	$("said-title").textContent = title;
	$("said-text").textContent = text;
	show("said");
}

function go(room) {
	location.href = room ? `/#/room/${room}` : "/";
}

async function look() {
	const response = await fetch("/api/invites/look", { method: "POST", cache: "no-store",
		headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) });
	if (response.ok)
		return response.json();
	throw new Failure(response.status === 404 || response.status === 422 ?
		"It is wrong, or it was used, was revoked, or has expired. Ask for another link." :
		"The server does not answer. Load this page again.", { status: response.status });
}

function paint() {
	const who = invite.creator === null ? "You are invited" :
		`${invite.creator_name ? `${invite.creator_name} (@${invite.creator})` : invite.creator} invites you`;
	const text = invite.room === null ? "Register to create your account on this server." :
		`You become ${{ member: "a member", moderator: "a moderator", owner: "an owner" }[invite.level]} of this room.`;
	for (const node of document.querySelectorAll(".invite-title"))
		node.textContent = invite.room === null ? `${who} to this server` : `${who} to the room “${invite.room}”`;
	for (const node of document.querySelectorAll(".invite-text"))
		node.textContent = invite.registers ? text : `${text} You need an account on this server.`;
	document.title = "Invite · Parlour";
}

function choose(toRegister) {
	registering = toRegister && invite.registers;
	$("tab-register").hidden = !invite.registers;
	$("tab-login").hidden = invite.room === null;
	$("tab-register").setAttribute("aria-pressed", String(registering));
	$("tab-login").setAttribute("aria-pressed", String(!registering));
	for (const node of document.querySelectorAll(".register-only"))
		node.hidden = !registering;
	for (const node of document.querySelectorAll(".login-only"))
		node.hidden = registering;
	$("form-email").required = registering;
	$("form-password").autocomplete = registering ? "new-password" : "current-password";
	$("form-go").textContent = registering ? "Register" : "Sign in and join";
	$("form-error").textContent = "";
	askCode("");
}

/* Shows the second step of a login, or the first one again. */
function askCode(newTicket) {
	ticket = newTicket;
	for (const node of document.querySelectorAll(".first"))
		node.hidden = ticket !== "" || (node.matches(".register-only") && !registering);
	$("form-second").hidden = ticket === "";
	$("form-code").required = ticket !== "";
	$("form-code").value = "";
	if (ticket !== "")
		$("form-code").focus();
}

function showForm() {
	choose(true);
	show("form");
}

async function accept() {
	const room = await call("POST", "/api/invites/accept", { token });
	go(room.id);
}

async function logIn(credentials) {
	try {
		if (ticket !== "")
			await enter("/api/auth/mfa", { mfa_ticket: ticket, ...proofOf($("form-code").value) }, $("form-keep").checked);
		else
			await enter("/api/auth/login", credentials, $("form-keep").checked);
	} catch (why) {
		if (why.code === "mfa_required")
			askCode(why.ticket);
		else if (why.code === "unauthorized")
			askCode(""); /* the ticket has expired */
		throw why;
	}
}

async function register(credentials) {
	try {
		const made = await enter("/api/auth/register", { ...credentials, email: $("form-email").value.trim(), invite: token },
			$("form-keep").checked);
		go(made.room);
	} catch (why) {
		if (why.code !== "mailed")
			throw why;
		say("Check your mail", why.sentence);
	}
}

async function submit(event) {
	const credentials = { username: $("form-name").value.trim(), password: $("form-password").value };
	event.preventDefault();
	$("form-go").disabled = true;
	await attempt(async () => {
		if (registering) {
			await register(credentials);
		} else {
			await logIn(credentials);
			await accept();
		}
	}, $("form-error"));
	$("form-go").disabled = false;
}

async function begin() {
	try {
		invite = await look();
	} catch (why) {
		say("This invite is not valid", why.sentence ?? "The server does not answer. Load this page again.");
		return;
	}
	const now = session();
	paint();
	if (now?.user && invite.room === null) {
		say("This invite is for a new account", `You are signed in as ${now.user.username}.`);
	} else if (now?.user) {
		$("known-go").textContent = `Join as ${now.user.username}`;
		show("known");
	} else if (invite.room === null && !invite.registers) {
		say("Registration is closed", "This invite is for a new account, but accounts cannot be created now.");
	} else {
		showForm();
	}
}

$("form").addEventListener("submit", submit);
$("tab-register").addEventListener("click", () => choose(true));
$("tab-login").addEventListener("click", () => choose(false));
$("known-other").addEventListener("click", showForm);
$("known-go").addEventListener("click", async () => {
	$("known-go").disabled = true;
	await attempt(accept, $("known-error"));
	$("known-go").disabled = false;
});
events.addEventListener("ended", showForm);
begin();
