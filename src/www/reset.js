// SPDX-License-Identifier: ISC
/*
 * The page that the link for a new password opens. The token is in the fragment, which browsers do not send to servers.
 * The page removes it from the address at once, so that the history does not contain it. Opening the page does not use
 * the link; only "Set password" does.
 */
import { $ } from "./dom.js";

let token = "";

function show(id) {
	for (const one of ["ask", "set", "said"])
		$(one).hidden = one !== id;
	$(id).querySelector("input")?.focus();
}

function say(title, text) {
	$("said-title").textContent = title;
	$("said-text").textContent = text;
	show("said");
}

function begin() {
	if (location.hash.length > 1) {
		token = location.hash.slice(1);
		history.replaceState(null, "", location.pathname);
	}
	show(token ? "set" : "ask");
}

/** Returns a sentence about what is wrong; "" if the server accepted the password. */
async function send(path, body) {
	try {
		const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" },
			body: JSON.stringify(body) });
		if (response.ok)
			return "";
		const problem = await response.json();
		if (response.status === 429)
			return "Too many attempts from your network. Wait a minute, then try again.";
		if (!Array.isArray(problem.detail))
			return problem.detail;
		return problem.detail.some((fault) => fault.loc.at(-1) === "token") ?
			"This link is no longer valid: it was used, or it is older than an hour. Request a new link." :
			problem.detail.map((fault) => `${fault.loc.at(-1) === "new_password" ? "The password" : "This"} ${fault.msg}.`).join(" ");
	} catch {
		return "The server does not answer. Try again.";
	}
}

async function submit(event, error, work) {
	const button = event.target.querySelector("button[type=submit]");
	event.preventDefault();
	button.disabled = true;
	error.textContent = "";
	error.textContent = await work();
	button.disabled = false;
}

$("ask").addEventListener("submit", (event) => submit(event, $("ask-error"), async () => {
	const problem = await send("/api/auth/password/reset", { username: $("ask-name").value.trim() });
	if (problem === "")
		say("Check your mail", "If this account exists and has an e-mail address, we sent a mail with a link. " +
			"The link is valid for one hour.");
	return problem;
}));

$("set").addEventListener("submit", (event) => submit(event, $("set-error"), async () => {
	if ($("set-password").value !== $("set-again").value)
		return "The two passwords are different.";
	const problem = await send("/api/auth/password/reset/confirm", { token, new_password: $("set-password").value });
	if (problem === "") {
		token = "";
		say("Your password is set", "You can sign in with it now.");
	}
	return problem;
}));

$("set-another").addEventListener("click", (event) => {
	event.preventDefault();
	token = "";
	show("ask");
});
addEventListener("hashchange", begin);
begin();
