// SPDX-License-Identifier: ISC
/*
 * The user's own account: display name, password, and deletion.
 */
import { call, callAll, forget, sayAtEnd } from "./api.js";
import { el, notice } from "./dom.js";
import { confirmation, field, form, showPage, submitter, wirePage } from "./forms.js";

const MEMBERS_SEEN = 200;

/* ---- display name and password ---- */

async function showProfile() {
	const [{ user }, proof] = [await call("GET", "/api/profile"), await confirmation()];
	const name = field("Display name, shown beside your user name (empty: none)",
		{ id: "account-name", maxlength: "100", autocomplete: "name", value: user.name ?? "" });
	const next = field("New password",
		{ id: "account-new", type: "password", required: true, autocomplete: "new-password" });
	const again = field("New password again",
		{ id: "account-again", type: "password", required: true, autocomplete: "new-password" });
	const same = () => again.input.setCustomValidity(next.input.value === again.input.value ? "" : "The passwords differ.");
	next.input.addEventListener("input", same);
	again.input.addEventListener("input", same);
	showPage("Profile and password",
		form("profile-form", async () => {
			await call("PATCH", "/api/profile", { name: name.input.value.trim() });
			notice("Your display name is saved.");
		}, name.label, submitter("Save")),
		el("h3", {}, "Change password"),
		form("password-form", async () => {
			await call("POST", "/api/auth/password", { ...proof.body("current_password"), new_password: next.input.value });
			await showProfile();
			notice("Your password is changed. Your other login sessions have ended.");
		}, el("input", { type: "hidden", autocomplete: "username", value: user.username }), proof.nodes, next.label,
		again.label, submitter("Change password")));
}

/* ---- deletion ---- */

/* What becomes of a room that the user owns, see "Deletion of accounts" in parlour-api(7). */
async function fateOf(room, me) {
	const others = (await call("GET", `/api/rooms/${room.id}/members?limit=${MEMBERS_SEEN}`))
		.filter((member) => member.user_id !== me.id);
	if (others.some((member) => member.level === "owner"))
		return "another owner keeps it";
	if (others.some((member) => member.level === "moderator"))
		return "passes to a moderator";
	return others.length ? "passes to its longest member" : "is archived, because nobody else is in it";
}

async function fates(me) {
	const owned = (await callAll("/api/rooms", "id", 200)).filter((room) => room.level === "owner" && !room.archived);
	const lines = await Promise.all(owned.slice(0, 20).map(async (room) =>
		el("li", {}, el("strong", {}, room.name), `: ${await fateOf(room, me)}`)));
	return owned.length > 20 ? [...lines, el("li", {}, `and ${owned.length - 20} more rooms`)] : lines;
}

async function showDeletion() {
	const me = await call("GET", "/api/auth/me");
	const [lines, proof] = [await fates(me), await confirmation()];
	const name = field(`Your user name, ${me.username}, to confirm`,
		{ id: "delete-name", required: true, autocapitalize: "none" });
	const check = () => name.input.setCustomValidity(name.input.value.trim() === me.username ? "" :
		`Enter ${me.username}.`);
	name.input.addEventListener("input", check);
	check();
	showPage("Delete account",
		el("p", {}, "This cannot be undone. You are signed out everywhere, and your profile, API keys, and chat sessions are deleted. ",
			"Nobody can take your user name again. The operator of this server decides whether your messages stay or become empty."),
		lines.length > 0 && el("p", {}, "Rooms that you own:"),
		lines.length > 0 && el("ul", { id: "delete-rooms", class: "list" }, lines),
		form("delete-form", async () => {
			sayAtEnd("Your account is deleted.");	/* the socket can close before the reply comes */
			try {
				await call("POST", "/api/profile/delete", proof.body());
			} catch (why) {
				sayAtEnd("");
				throw why;
			}
			forget();
			sessionStorage.setItem("parlour.why", "Your account is deleted.");
			location.reload();
		}, proof.nodes, name.label, submitter("Delete my account", { class: "danger", id: "delete-go" })));
}

export function wireAccount() {
	wirePage("profile-open", showProfile);
	wirePage("delete-open", showDeletion);
}
