// SPDX-License-Identifier: ISC
/*
 * API keys: programs use them instead of a password. A key is shown once, when it is created.
 */
import { call } from "./api.js";
import { el } from "./dom.js";
import { choice, field, form, secret, showPage, small, submitter, when, wirePage } from "./forms.js";

const DAY_S = 86400;
const SCOPES = [["read", "Read what you can read"], ["write", "Change it"], ["chat", "Send messages, use the chatbot and models"],
	["v1", "The OpenAI-compatible routes below /v1"], ["admin", "Use your access level"]];

function entry(key, paint) {
	const revoke = small("Revoke", async () => {
		if (!confirm(`Revoke the key ${key.name}? Programs that use it stop working.`))
			return;
		await call("DELETE", `/api/keys/${key.id}`);
		await paint();
	}, { class: "small danger" });
	return el("li", {}, el("span", { class: "who" }, el("span", {}, key.name, " ", el("code", {}, `${key.prefix}…`)),
		el("small", {}, `${key.scopes.join(", ")} · last used: ${when(key.last_used_at, "never")} · expires: ${when(key.expires_at, "never")}`)),
	revoke);
}

function createForm(me, done) {
	const name = field("Name", { id: "key-name", required: true, maxlength: "64", placeholder: "Backup script" });
	const scopes = SCOPES.filter(([word]) => word !== "admin" || me.access !== "user").map(([word, text]) =>
		el("label", { class: "check" }, el("input", { type: "checkbox", name: "scope", value: word, checked: word === "read" }),
			el("span", {}, el("code", {}, word), ` ${text}`)));
	const life = choice("Expires", "key-life", [[90 * DAY_S, "In 90 days"], [30 * DAY_S, "In 30 days"], [DAY_S, "In 1 day"],
		[365 * DAY_S, "In 1 year"], ["", "Never, if the server allows it"]]);
	const node = form("key-form", async () => {
		const body = { name: name.input.value.trim(),
			scopes: [...node.querySelectorAll("input[name=scope]:checked")].map((box) => box.value) };
		if (life.input.value !== "")
			body.expires_in = Number(life.input.value);
		done(await call("POST", "/api/keys", body, { once: true }));
	}, name.label, el("fieldset", {}, el("legend", {}, "What the key may do"), scopes), life.label, submitter("Create key"));
	return node;
}

async function show(made = null) {
	const [me, list] = [await call("GET", "/api/auth/me"), await call("GET", "/api/keys")];
	const again = () => show();
	showPage("API keys",
		made && el("div", { class: "made" }, el("p", {}, `Store the key ${made.name} now. It cannot be shown again.`),
			secret("key-made", made.key)),
		list.length > 0 && el("ul", { id: "keys-list", class: "list" }, list.map((key) => entry(key, again))),
		el("details", { open: list.length === 0 }, el("summary", {}, "Create a key"), createForm(me, show)));
}

export function wireKeys() {
	wirePage("keys-open", () => show());
}
