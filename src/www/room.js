// SPDX-License-Identifier: ISC
/*
 * The open room: its position first, then the newest page of history, then a subscription from that position, so that
 * no event between them is missed. Everything with a seq is shown once, in whichever way it arrived.
 */
import { Answers } from "./answers.js";
import { Blocks } from "./blocks.js";
import { call, callPage } from "./api.js";
import { Composer } from "./composer.js";
import { $, attempt, notice } from "./dom.js";
import { People } from "./people.js";
import { Reactor, reacted } from "./react.js";
import { Reviser } from "./revise.js";
import { Timeline } from "./timeline.js";

const PAGE = 50, SEEN_MS = 200;

export class RoomView {
	/** hooks: { me, socket, onseen(room, seq), lastRead(id): entry of the list, onchanged(room), onleft(room) } */
	constructor(hooks) {
		Object.assign(this, hooks, { room: null, turn: 0, atStart: false, loading: false });
		const names = () => this.people.names();
		this.blocks = new Blocks(() => {
			this.timeline.refold();
			this.people.paint();
		});
		this.timeline = new Timeline({ me: this.me, names, blocks: this.blocks,
			revise: new Reviser({ mayModerate: () => this.people.mayChange }),
			react: new Reactor({ me: this.me, room: () => this.room, mayModerate: () => this.people.mayChange }), onreply: (message) => this.composer.reply(message),
			onolder: () => this.older(), onplace: () => this.seenSoon() });
		this.people = new People({ me: this.me, blocks: this.blocks, onmention: (name) => this.composer.mention(name) });
		this.answers = new Answers({ timeline: this.timeline, names, stop: (id) => this.stop(id),
			mayStop: (seq) => this.mayStop(seq),
			roleName: (id) => this.room.roles.find((role) => role.id === id)?.name ?? `role ${id}` });
		this.composer = new Composer({ me: this.me, names, timeline: this.timeline,
			onsent: (message) => this.show(message),
			typing: () => this.socket.send({ type: "typing", topic: this.topic }),
			send: (pending) => this.socket.request({ type: "send", id: pending.id,
				topic: `room:${pending.room}`,
				client_id: pending.id, content: pending.content, reply_to: pending.replyTo }) });
		this.socket.onrefused = (frame) => this.refused(frame);
		this.blocks.load();
		$("room-leave").addEventListener("click", () => this.leave());
		document.addEventListener("visibilitychange", () => {
			this.away = document.hidden;
			this.seenSoon();
		});
	}

	get topic() {
		return `room:${this.room.id}`;
	}

	/* ---- opening ---- */

	close() {
		this.turn++;
		if (this.room)
			this.socket.unsubscribe(this.topic);
		this.room = null;
		this.ready = false;
		this.position = this.seenTo = 0;
		this.answers.clear();
		this.timeline.clear();
		this.composer.open(null);
		this.people.open(null);
		this.paintHead();
		$("older").hidden = true;
		$("empty").hidden = false;
		$("empty").textContent = "Choose a room, or create one.";
	}

	async open(id) {
		this.close();
		const turn = this.turn;
		$("empty").textContent = "Loading…";
		const done = await attempt(async () => {
			const room = await call("GET", `/api/rooms/${id}`);
			if (turn !== this.turn)
				return true;
			this.room = room;
			this.paintHead();
			this.people.open(room);
			this.composer.open(room);
			const { last_read: lastRead, unread } = this.lastRead(id) ?? {};
			if (!await this.newestPage(turn))
				return true;
			if (unread > 0)
				this.timeline.markNew(lastRead, true);
			this.position = Math.max(room.last_seq, this.timeline.last);
			this.socket.subscribe(this.topic, { since: room.last_seq, epoch: room.epoch },
				(frame) => this.frame(frame),
				(why) => this.gone(why.sentence));
			return true;
		});
		if (!done && turn === this.turn) {
			this.close();
			$("empty").textContent = "This room cannot be opened.";
		}
	}

	async newestPage(turn) {
		const { items, more } = await callPage(`/api/rooms/${this.room.id}/messages?limit=${PAGE}`);
		if (turn !== this.turn)
			return false;
		this.atStart = !more;
		for (const message of items)
			this.show(message);
		$("empty").textContent = "No messages yet. Write the first one.";
		$("empty").hidden = this.timeline.items.length > 0;
		this.timeline.toEnd();
		return true;
	}

	async older() {
		const { first } = this.timeline, { turn } = this;
		if (this.loading || this.atStart || !this.room || first === undefined)
			return;
		this.loading = true;
		$("older").hidden = false;
		await attempt(async () => {
			const { items, more } = await callPage(
				`/api/rooms/${this.room.id}/messages?before=${first}&limit=${PAGE}`);
			if (turn !== this.turn)
				return;
			this.atStart = !more;
			$("older").hidden = true;
			this.timeline.addOlder(items);
		});
		$("older").hidden = true;
		this.loading = false;
	}

	/* ---- frames ---- */

	handlers = {
		subscribed: this.subscribed,
		unsubscribed: () => this.gone("You are no longer in this room."),
		message: ({ message }) => this.show(message, true),
		edited: ({ target_seq: seq, body, created_at: at }) =>
			this.timeline.change(seq, { content: body?.content ?? "", edited_at: at }),
		deleted: this.deleted,
		reaction_added: this.reaction,
		reaction_removed: this.reaction,
		pinned: ({ target_seq: seq, actor, created_at: at }) => this.timeline.change(seq, { pinned_at: at, pinned_by: actor.id }),
		unpinned: ({ target_seq: seq }) => this.timeline.change(seq, { pinned_at: null, pinned_by: null }),
		generation: (frame) => this.answers.frame(frame),
		presence: (frame) => this.people.presence(frame),
		typing: (frame) => this.blocks.has(frame.user.id) || this.people.types(frame),
		joined: this.member,
		left: this.member,
		member_level: this.member,
		role_attached: this.changed,
		role_detached: this.changed,
		room_changed: this.changed,
	};

	frame(frame) {
		this.handlers[frame.type]?.call(this, frame);
		if (this.room && Number.isInteger(frame.seq) && frame.type !== "read") {
			this.position = Math.max(this.position, frame.seq);
			this.seenSoon();
		}
	}

	/* ---- what was seen: the end of the room, in a visible tab ---- */

	seenSoon() {
		this.seeing ??= setTimeout(() => {
			this.seeing = undefined;
			this.see();
		}, SEEN_MS);
	}

	see() {
		if (!this.room || !this.ready || document.hidden || !this.timeline.follows || this.position <= this.seenTo ||
			!this.socket.send({ type: "read", topic: this.topic, seq: this.position }))
			return;
		this.seenTo = this.position;
		this.onseen(this.room, this.position);
	}

	/*
	 * recovered: missed events follow as frames. Otherwise the newest page is read again, while live events
	 * continue.
	 */
	subscribed({ was_recovering: wasRecovering, recovered, epoch, seq }) {
		this.ready = true;	/* and what was sent before may be lost */
		this.seenTo = 0;
		this.answers.resubscribed();
		this.composer.resume();
		this.room.epoch = epoch;
		if (!this.room.level)
			this.refreshRoom(); /* subscribing has joined */
		if (!wasRecovering || recovered || seq === 0)
			return;
		this.timeline.clear();
		const { turn } = this;
		attempt(() => this.newestPage(turn));
	}

	deleted({ target_seq: seq, created_at: at }) {
		this.timeline.change(seq, { content: "", reasoning: null, citations: null, reactions: [], pinned_at: null, deleted_at: at });
		if (this.composer.replyTo?.seq === seq)
			this.composer.reply(null);
	}

	reaction(frame) {
		const message = this.timeline.get(frame.target_seq);
		if (message && !message.deleted_at)
			this.timeline.change(frame.target_seq, { reactions: reacted(message.reactions, frame) });
	}

	show(message, isLive = false) {
		if (message.client_id && message.author.id === this.me.id)
			this.composer.arrived(message.client_id);
		this.answers.message(message);
		this.timeline.add(message);
		if (message.author.kind === "user")
			this.people.typesNot(message.author.id);
		const theirs = isLive && !(message.author.kind === "user" && message.author.id === this.me.id);
		if (theirs && document.hidden && this.away) {
			this.away = false;	/* the line stays above the first one */
			this.timeline.markNew(message.seq - 1);
		}
		if (theirs && document.hidden && !this.timeline.isBlocked(message))
			this.onunseen?.(this.room, message);
	}

	member(frame) {
		const { type, seq, actor, body } = frame;
		const name = body?.username ?? actor?.name ?? "Somebody";
		const by = actor && actor.id !== body?.user_id ? actor.name : null;
		const text = { joined: by ? `${name} was added by ${by}` : `${name} joined`,
			left: body?.banned ? `${name} was banned by ${by}` : by ? `${name} was removed by ${by}` : `${name} left`, member_level: `${name} is now ${body?.level}` }[type];
		this.timeline.addLine(seq, text);
		if (type === "left" && body?.user_id === this.me.id)
			this.gone("You are no longer in this room.");
		else
			this.people.loadSoon();
	}

	changed({ type, seq, actor, body }) {
		const role = body?.name ?? "A role";
		const text = { role_attached: `${role} was added`, role_detached: `${role} was removed`,
			room_changed: `${actor?.name ?? "Somebody"} changed the room` }[type];
		this.timeline.addLine(seq, text);
		this.refreshRoom();
	}

	async refreshRoom() {
		const { turn } = this;
		const room = await attempt(() => call("GET", `/api/rooms/${this.room.id}`));
		if (!room || turn !== this.turn)
			return;
		Object.assign(this.room, room);
		this.paintHead();
		this.people.paint();
		this.composer.hint();
		$("composer").hidden = room.archived;
		this.onchanged(this.room);
	}

	/* ---- acts ---- */

	/*
	 * The asker, moderators, and the owner may stop an answer; users whose rights this page does not know may try.
	 */
	mayStop(seq) {
		const author = this.timeline.get(seq)?.author;
		return this.people.mayChange || author?.kind !== "user" || author.id === this.me.id;
	}

	/* If it succeeds, the answer ends; if it is refused, an error frame has this id. */
	stop(id) {
		if (!this.socket.send({ type: "stop", id: `stop:${id}`, generation_id: id })) {
			notice("Not connected to the server.", true);
			this.answers.notStopped(id);
		}
	}

	refused({ id, detail }) {
		notice(detail, true);
		if (id.startsWith("stop:"))
			this.answers.notStopped(id.slice(5));
	}

	async leave() {
		if (!confirm(`Leave ${this.room.name}?`))
			return;
		const { room } = this;
		await attempt(async () => {
			this.socket.unsubscribe(this.topic);
			await call("POST", `/api/rooms/${room.id}/leave`, {});
			this.gone("");
		});
	}

	gone(text) {
		const { room } = this;
		if (!room)
			return;
		this.close();
		if (text)
			notice(text);
		this.onleft(room);
	}

	/* ---- head ---- */

	policyText() {
		const names = this.room.roles.map((role) => role.name), one = names.length === 1;
		const what = one ? { off: "does not answer", mention: "answers when mentioned", all: "answers every message" } :
			{ off: "do not answer", mention: "answer when mentioned", all: "answer every message" };
		return names.length ? `${names.join(", ")} ${what[this.room.reply_policy]}` : "";
	}

	paintHead() {
		const { room } = this;
		$("room-title").textContent = room?.name ?? "Parlour";
		$("people-toggle").hidden = !room;
		$("people-pane").hidden = !room;
		$("room-about").textContent = room ? [room.visibility, room.archived && "archived", this.policyText()]
			.filter(Boolean).join(" · ") : "";
	}
}
