// SPDX-License-Identifier: ISC
/*
 * The list of rooms with what is unread in them, and the form for a new one. The server counts; frames of user:me keep
 * the list up to date.
 */
import { call, callAll } from "./api.js";
import { $, attempt, el, wireDialog } from "./dom.js";

const EVERY_MS = 30000, OWN_MS = 3000, MANY = 100;

export class Rooms {
	/** hooks: { me, onopen(id), listRoles() } */
	constructor(hooks) {
		Object.assign(this, hooks, { rooms: new Map(), current: null, read: new Map() });
		wireDialog($("room-dialog"));
		$("rooms-new").addEventListener("click", () => this.dialog());
		$("rooms-filter").addEventListener("input", () => this.paint());
		$("room-form").addEventListener("submit", (event) => this.create(event));
		this.timer = setInterval(() => document.hidden || this.load().catch(() => {}), EVERY_MS);
	}

	async load() {
		const list = await callAll("/api/rooms", "id", 200);
		this.rooms = new Map(list.map((room) => [room.id, room]));
		for (const room of list)
			this.count(room, room);
		this.paint();
	}

	/** Rooms with the newest messages first; rooms without messages at the end. */
	sorted() {
		const when = (room) => Date.parse(room.last_at ?? room.created_at);
		return [...this.rooms.values()].sort((a, b) => Boolean(b.level) - Boolean(a.level) ||
			when(b) - when(a));
	}

	/* What this page has just read counts as read, although older numbers may still be on their way. */
	count(room, { last_read: lastRead, unread, mentions }) {
		const own = this.read.get(room.id);
		const late = own && own.seq > lastRead && Date.now() - own.at < OWN_MS;
		Object.assign(room, late ? { last_read: own.seq, unread: 0, mentions: 0 } :
			{ last_read: lastRead, unread, mentions });
	}

	/** A frame of user:me. */
	frame(frame) {
		const room = this.rooms.get(frame.room_id);
		if (frame.type === "unread" && room) {
			if (frame.unread > (room.unread ?? 0))
				room.last_at = new Date().toISOString(); /* the newest things first */
			this.count(room, frame);
			this.paint();
		} else if (["subscribed", "joined", "left", "unread"].includes(frame.type)) {
			this.load().catch(() => {});
		}
	}

	/** The open room was seen up to this entry. */
	seen({ id }, seq) {
		const room = this.rooms.get(id);
		this.read.set(id, { seq, at: Date.now() });
		if (!room)
			return;
		Object.assign(room, { last_read: seq, unread: 0, mentions: 0 });
		this.paint();
	}

	changed(room) {
		const { last_read, unread, mentions } = this.rooms.get(room.id) ?? {};
		this.rooms.set(room.id, { ...room, last_read, unread, mentions });
		this.paint();
	}

	choose(id) {
		this.current = id;
		this.paint();
	}

	paint() {
		const filter = $("rooms-filter").value.trim().toLowerCase();
		const shown = this.sorted().filter((room) => room.name.toLowerCase().includes(filter));
		$("rooms-filter").hidden = this.rooms.size < 8 && filter === "";
		$("rooms-list").replaceChildren(...shown.map((room) => this.entry(room)));
		if (shown.length === 0)
			$("rooms-list").append(el("li", { class: "note" }, filter ? "No room has this name." :
				"There are no rooms yet."));
	}

	entry(room) {
		const unread = room.level ? room.unread : 0, many = unread >= MANY;
		const mark = room.visibility === "private" ?
			el("span", { class: "mark", role: "img", "aria-label": "private" }, el("span", { class: "lock" })) :
			el("span", { class: "mark", "aria-hidden": "true" }, "#");
		const roles = room.roles.map((role) => role.name).join(", ");
		return el("li", {}, el("a", { href: `#/room/${room.id}`, class: unread ? "unread" : "",
			"aria-current": room.id === this.current ? "page" : null }, mark, el("span", { class: "name" }, room.name),
		roles && el("span", { class: "badge", title: roles }, "AI"),
		room.mentions > 0 && el("span", { class: "count mention", role: "img", "aria-label": "mentions you" }, "@"),
		unread > 0 && el("span", { class: "count", "aria-label": `${unread}${many ? " or more" : ""} unread` },
			many ? `${MANY - 1}+` : String(unread))));
	}

	/* ---- a new room ---- */

	async dialog() {
		const roles = await attempt(() => this.listRoles());
		if (!roles)
			return;
		$("room-form").reset();
		$("room-error").textContent = "";
		$("new-roles").replaceChildren(...roles.map((role) => el("label", { class: "check" },
			el("input", { type: "checkbox", name: "role", value: role.id }), ` ${role.name}`)));
		if (roles.length === 0)
			$("new-roles").append(el("p", { class: "note" }, "There are no AI roles yet. Create one under Roles."));
		$("room-dialog").showModal();
	}

	create(event) {
		event.preventDefault();
		const form = new FormData($("room-form"));
		const body = { name: $("new-name").value.trim(), visibility: form.get("visibility"),
			role_ids: form.getAll("role").map(Number) };
		if ($("new-policy").value)
			body.reply_policy = $("new-policy").value;
		attempt(async () => {
			const room = await call("POST", "/api/rooms", body, { once: true });
			$("room-dialog").close();
			this.changed(room);
			this.onopen(room.id);
		}, $("room-error"));
	}

	stop() {
		clearInterval(this.timer);
	}
}
