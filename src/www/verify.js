// SPDX-License-Identifier: ISC
/*
 * The page that the link to verify an e-mail address opens. The token is in the fragment, which browsers do not send to
 * servers. The page removes it from the address at once, so that the history does not contain it. Opening the page does
 * not use the link; only the button does.
 */
import { $ } from "./dom.js";

let token = "";

function show(id) {
	for (const one of ["ask", "use", "said"])
		$(one).hidden = one !== id;
	$(id).querySelector("input, button")?.focus();
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
	show(token ? "use" : "ask");
}

/** Returns a sentence about what is wrong; "" if the server accepted the token. */
async function send(path, body) {
	try {
		const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" },
			body: JSON.stringify(body), cache: "no-store" });
		if (response.ok)
			return "";
		const problem = await response.json();
		if (response.status === 429)
			return "Too many attempts from your network. Wait a minute, then try again.";
		if (response.status === 409)
			return "Another account has verified this address.";
		if (!Array.isArray(problem.detail))
			return problem.detail;
		return problem.detail.some((fault) => fault.loc.at(-1) === "token") ?
			"This link is not valid any more: it was used, or it is older than a day. Get another link." :
			problem.detail.map((fault) => `This ${fault.msg}.`).join(" ");
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
	const problem = await send("/api/auth/email/verification", { username: $("ask-name").value.trim() });
	if (problem === "")
		say("Check your mail", "If there is such an account and its address is not verified, a mail with a link is on its way. " +
			"The link is valid for one day.");
	return problem;
}));

$("use").addEventListener("submit", (event) => submit(event, $("use-error"), async () => {
	const problem = await send("/api/auth/email/verify", { token });
	if (problem === "") {
		token = "";
		say("Your address is verified", "You can sign in now.");
	}
	return problem;
}));

$("use-another").addEventListener("click", (event) => {
	event.preventDefault();
	token = "";
	show("ask");
});
addEventListener("hashchange", begin);
begin();
