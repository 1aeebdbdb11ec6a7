// SPDX-License-Identifier: ISC
/*
 * Invites: links with which people register, or join a room. A link is shown once, when it is created; join.js is the page
 * behind it.
 */
import { call, callAll } from "./api.js";
import { el } from "./dom.js";
import { choice, field, form, secret, showPage, small, submitter, when, wirePage } from "./forms.js";

const DAY_S = 86400;

function entry(invite, roomOf, paint) {
	const revoke = invite.state === "open" && small("Revoke", async () => {
		await call("DELETE", `/api/invites/${invite.id}`);
		await paint();
	}, { class: "small danger" });
	return el("li", {}, el("span", { class: "who" },
		el("span", {}, invite.note ?? `Invite ${invite.id}`, invite.room_id ? ` to ${roomOf(invite.room_id)}` : ""),
		el("small", {}, `${invite.state} · used ${invite.used} of ${invite.uses} · expires: ${when(invite.expires_at, "never")}`)),
	revoke);
}

function createForm(rooms, done) {
	const room = choice("For", "invite-room", [["", "This server, without a room"], ...rooms.map(({ id, name }) => [id, `Room ${name}`])]);
	const uses = field("How many people may use it", { id: "invite-uses", type: "number", required: true, min: "1", max: "10000", value: "1" });
	const life = choice("Expires", "invite-life", [[7 * DAY_S, "In 7 days"], [DAY_S, "In 1 day"], [30 * DAY_S, "In 30 days"],
		[3600, "In 1 hour"]]);
	const note = field("Note for yourself (optional)", { id: "invite-note", maxlength: "200" });
	return form("invite-form", async () => {
		const body = { uses: Number(uses.input.value), expires_in: Number(life.input.value) };
		if (room.input.value !== "")
			body.room_id = Number(room.input.value);
		if (note.input.value.trim() !== "")
			body.note = note.input.value.trim();
		done(await call("POST", "/api/invites", body, { once: true }));
	}, room.label, uses.label, life.label, note.label, submitter("Create invite"));
}

async function show(made = null) {
	const [all, list] = [await callAll("/api/rooms", "id", 200), await call("GET", "/api/invites")];
	const rooms = all.filter((room) => ["owner", "moderator"].includes(room.level) && !room.archived);
	const roomOf = (id) => all.find((room) => room.id === id)?.name ?? `room ${id}`;
	const again = () => show();
	showPage("Invites",
		made && el("div", { class: "made" }, el("p", {}, "Send this link to whom you want to invite. It cannot be shown again."),
			secret("invite-made", new URL(made.url, location.origin).href)),
		list.length > 0 && el("ul", { id: "invites-list", class: "list" }, list.map((invite) => entry(invite, roomOf, again))),
		el("details", { open: list.length === 0 }, el("summary", {}, "Create an invite"), createForm(rooms, show)));
}

export function wireInvites() {
	wirePage("invites-open", () => show());
}
