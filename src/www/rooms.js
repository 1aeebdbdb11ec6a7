// SPDX-License-Identifier: ISC
/*
 * The list of rooms with a mark for unread messages, and the form for a new room. This browser stores how far each room
 * was read.
 */
import { call, callAll } from "./api.js";
import { $, attempt, el, wireDialog } from "./dom.js";

const EVERY_MS = 30000;

export class Rooms {
	/** hooks: { me, onopen(id), listRoles() } */
	constructor(hooks) {
		Object.assign(this, hooks, { rooms: new Map(), current: null });
		this.key = `parlour.read.${this.me.id}`;
		try {
			this.seen = JSON.parse(localStorage.getItem(this.key)) ?? {};
		} catch {
			this.seen = {};
		}
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
			this.seen[room.id] ??= room.last_seq; /* messages from before the membership are not new */
		this.paint();
	}

	/** Rooms with the newest messages first; rooms without messages at the end. */
	sorted() {
		const when = (room) => Date.parse(room.last_at ?? room.created_at);
		return [...this.rooms.values()].sort((a, b) => Boolean(b.level) - Boolean(a.level) ||
			when(b) - when(a));
	}

	read(room, seq) {
		const known = this.rooms.get(room.id);
		if (known)
			known.last_seq = Math.max(known.last_seq, seq);
		if ((this.seen[room.id] ?? 0) >= seq)
			return;
		this.seen[room.id] = seq;
		clearTimeout(this.saving);
		this.saving = setTimeout(() => {
			localStorage.setItem(this.key, JSON.stringify(this.seen));
			this.paint();
		}, 300);
	}

	changed(room) {
		this.rooms.set(room.id, room);
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
		const unread = room.level && room.id !== this.current && room.last_seq > (this.seen[room.id] ?? 0);
		const mark = room.visibility === "private" ?
			el("span", { class: "mark", role: "img", "aria-label": "private" }, el("span", { class: "lock" })) :
			el("span", { class: "mark", "aria-hidden": "true" }, "#");
		const roles = room.roles.map((role) => role.name).join(", ");
		return el("li", {}, el("a", { href: `#/room/${room.id}`, class: unread ? "unread" : "",
			"aria-current": room.id === this.current ? "page" : null }, mark, el("span", { class: "name" }, room.name),
		roles && el("span", { class: "badge", title: roles }, "AI"),
		unread && el("span", { class: "dot", role: "img", "aria-label": "unread" })));
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
