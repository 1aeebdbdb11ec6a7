// SPDX-License-Identifier: ISC
/*
 * Who is online, who is a member, which roles take part, and who is typing. Presence frames contain user ids; the names
 * come from the list of members, which is read again when an id is unknown.
 */
import { call, callAll } from "./api.js";
import { $, attempt, avatar, el } from "./dom.js";

const TYPING_MS = 6000, RELOAD_MS = 300, SUGGEST_MS = 150, SUGGESTIONS = 8;

/* A display name need not be unique, so the user name is always shown next to it. */
const titleOf = (user) => user?.name ?? user?.username;
const aboutUser = (user, ...more) => [user?.name && `@${user.username}`, ...more].filter(Boolean).join(" · ");

function entry(name, { isRole = false, about = "", online = false, button = null } = {}) {
	return el("li", { class: online ? "online" : "" }, avatar(name, isRole),
		el("span", { class: "who" }, el("span", {}, name), about && el("small", {}, about)), button);
}

export class People {
	/** hooks: { me, onmention(name), blocks } */
	constructor(hooks) {
		Object.assign(this, hooks, { members: new Map(), here: new Set(), count: 0, typing: new Map(),
			room: null });
		$("member-add").addEventListener("submit", (event) => this.addMember(event));
		$("member-name").addEventListener("input", () => {
			clearTimeout(this.suggesting);
			this.suggesting = setTimeout(() => this.suggest(), SUGGEST_MS);
		});
	}

	open(room) {
		clearTimeout(this.timer);
		this.room = room;
		this.members.clear();
		this.here.clear();
		this.count = 0;
		for (const { timer } of this.typing.values())
			clearTimeout(timer);
		this.typing.clear();
		this.paintTyping();
		this.paint();
		if (room)
			this.load();
	}

	get mayChange() {
		return ["owner", "moderator"].includes(this.room?.level) || this.me.access === "admin";
	}

	nameOf(id) {
		return this.members.get(id)?.username ?? (id === this.me.id ? this.me.username : `user ${id}`);
	}

	/** Who can be mentioned. */
	names() {
		const roles = (this.room?.roles ?? []).flatMap((role) => [role.mention_name, role.name]);
		return [...roles, ...[...this.members.values()].map((member) => member.username)];
	}

	async load() {
		const { room } = this;
		let list;
		try {
			list = await callAll(`/api/rooms/${room.id}/members`, "user_id", 200);
		} catch {
			return; /* only names are missing; the next change tries again */
		}
		if (room !== this.room)
			return;
		this.members = new Map(list.map((member) => [member.user_id, member]));
		this.paint();
	}

	loadSoon() {
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.room && this.load(), RELOAD_MS);
	}

	/* ---- frames ---- */

	presence({ count, users, joined = [], left = [] }) {
		if (users)
			this.here = new Set(users);
		for (const id of joined)
			this.here.add(id);
		for (const id of left)
			this.here.delete(id);
		this.count = count ?? this.here.size;
		if (this.count > this.here.size && !users && !joined.length)
			this.here.clear(); /* too many to list: the frame has only the number */
		if ([...this.here].some((id) => !this.members.has(id)))
			this.loadSoon();
		this.paint();
	}

	types({ user }) {
		clearTimeout(this.typing.get(user.id)?.timer);
		const timer = setTimeout(() => this.typesNot(user.id), TYPING_MS);
		this.typing.set(user.id, { name: user.name, timer });
		this.paintTyping();
	}

	typesNot(id) {
		clearTimeout(this.typing.get(id)?.timer);
		if (this.typing.delete(id))
			this.paintTyping();
	}

	/* ---- painting ---- */

	paintTyping() {
		const names = [...this.typing.values()].map(({ name }) => name);
		$("typing").textContent = names.length === 0 ? "" : names.length === 1 ? `${names[0]} is typing…` :
			names.length === 2 ? `${names[0]} and ${names[1]} are typing…` :
				`${names.length} people are typing…`;
	}

	paint() {
		const { room } = this;
		const byName = (a, b) => a.localeCompare(b);
		const here = [...this.here].map((id) => [titleOf(this.members.get(id)) ?? this.nameOf(id), id])
			.sort(([a], [b]) => byName(a, b));
		$("people-count").textContent = $("here-count").textContent = this.count;
		$("here-list").replaceChildren(...here.map(([name, id]) =>
			entry(name, { online: true, about: aboutUser(this.members.get(id), id === this.me.id && "you") })));
		if (here.length === 0 && this.count > 0)
			$("here-list").append(el("li", { class: "note" }, `${this.count} people: too many to list`));
		$("room-roles").replaceChildren(...(room?.roles ?? []).map((role) => this.roleEntry(role)));
		if (!room?.roles.length)
			$("room-roles").append(el("li", { class: "note" }, "none"));
		const members = [...this.members.values()].sort((a, b) => byName(titleOf(a), titleOf(b)));
		$("member-count").textContent = this.members.size || "";
		$("member-list").replaceChildren(...members.map((member) => entry(titleOf(member), {
			online: this.here.has(member.user_id),
			about: aboutUser(member, member.level === "member" ? "" : member.level),
			button: [this.removeButton(member), this.blockButton(member)] })));
		$("member-add").hidden = !(room && this.mayChange && room.visibility === "private");
		$("room-roles-change").hidden = !(room && this.mayChange);
		$("room-leave").hidden = !room?.level;
	}

	roleEntry({ name }) {
		const mention = el("button", { type: "button", class: "small", title: `Write to ${name}`,
			on: { click: () => this.onmention(name) } }, "@");
		return entry(name, { isRole: true, button: mention });
	}

	blockButton(member) {
		if (member.user_id === this.me.id)
			return null;
		const blocked = this.blocks.has(member.user_id);
		return el("button", { type: "button", class: "small block", "aria-pressed": String(blocked),
			title: blocked ? "Show what this user writes" : "Fold what this user writes; they do not learn of it",
			on: { click: () => attempt(() => this.blocks.change(member.user_id, !blocked)) } }, blocked ? "Unblock" : "Block");
	}

	removeButton(member) {
		if (!this.mayChange || member.user_id === this.me.id || member.level === "owner" ||
			this.room.visibility !== "private")
			return null;
		const remove = () => attempt(async () => {
			await call("DELETE", `/api/rooms/${this.room.id}/members/${member.user_id}`);
			this.loadSoon();
		});
		return el("button", { type: "button", class: "icon", "aria-label": `Remove ${member.username}`,
			on: { click: remove } }, "×");
	}

	/** Users whose names match the typed text, as suggestions. */
	async suggest() {
		const text = $("member-name").value.trim();
		if (!text)
			return;
		try {
			const people = await call("GET", `/api/users?query=${encodeURIComponent(text)}&limit=${SUGGESTIONS}`);
			if ($("member-name").value.trim() !== text)
				return;
			$("member-names").replaceChildren(...people.filter(({ id }) => !this.members.has(id))
				.map(({ username, name }) => el("option", { value: username }, name ? `${name} (@${username})` : username)));
		} catch {
			/* a name can be written without suggestions */
		}
	}

	addMember(event) {
		event.preventDefault();
		const text = $("member-name").value.trim().replace(/^@/, "");
		attempt(async () => {
			await call("POST", `/api/rooms/${this.room.id}/members`,
				/^[0-9]+$/.test(text) ? { user_id: Number(text) } : { username: text }, { once: true });
			$("member-name").value = "";
			$("member-names").replaceChildren();
			this.loadSoon();
		});
	}
}
