// SPDX-License-Identifier: ISC
/*
 * Writing and sending. A message is shown at once and has a client_id from the start, so that it can be sent again
 * after a lost connection any number of times, and is stored once.
 */
import { $, el, uuid } from "./dom.js";
import { messageNode } from "./timeline.js";

const CONTENT_BYTES = 16384, TYPING_EVERY_MS = 3000, RETRIES = 3;
const encoder = new TextEncoder();

/* On touch screens, Enter is the only way to a new line, and focus would show the keyboard. */
const hasTouchKeyboard = () => matchMedia("(pointer: coarse)").matches;

export class Composer {
	/** hooks: { me, names(), send(pending) -> promise of the ack, typing(), onsent(message), timeline } */
	constructor(hooks) {
		Object.assign(this, hooks, { room: null, pending: new Map(), replyTo: null, typedAt: 0,
			drafts: new Map() });
		this.text = $("text");
		$("composer").addEventListener("submit", (event) => {
			event.preventDefault();
			this.submit();
		});
		this.text.addEventListener("keydown", (event) => this.key(event));
		this.text.addEventListener("input", () => this.changed());
		$("reply-cancel").addEventListener("click", () => this.reply(null));
	}

	open(room) {
		if (this.room)
			this.drafts.set(this.room.id, this.text.value);
		for (const pending of this.pending.values())
			pending.node.remove();
		this.room = room;
		this.reply(null);
		$("composer").hidden = !room || room.archived;
		if (!room)
			return;
		for (const pending of this.pending.values())
			if (pending.room === room.id)
				$("tail").append(pending.node);
		this.text.value = this.drafts.get(room.id) ?? "";
		this.changed(false);
		this.hint();
		if (!hasTouchKeyboard())
			this.text.focus();
	}

	/** Shows as the placeholder what the user can do here. */
	hint() {
		const { roles, reply_policy: policy, name } = this.room;
		const who = roles.length === 1 ? roles[0].name : "the roles";
		this.text.placeholder = roles.length === 0 || policy === "off" ? `Write to ${name}` :
			policy === "all" ? `Write to ${name}; ${who} will answer` :
				`Write to ${name}; @${roles[0].mention_name} asks the AI`;
	}

	/* ---- writing ---- */

	key(event) {
		if (event.key === "Escape" && this.replyTo)
			this.reply(null);
		if (event.key !== "Enter" || event.shiftKey || event.isComposing || hasTouchKeyboard())
			return;
		event.preventDefault();
		this.submit();
	}

	changed(isTyping = true) {
		const bytes = encoder.encode(this.text.value).length;
		this.text.style.height = "auto";
		this.text.style.height = `${Math.min(this.text.scrollHeight + 2, 200)}px`;
		$("send").disabled = this.text.value.trim() === "" || bytes > CONTENT_BYTES;
		$("text-size").textContent = bytes > CONTENT_BYTES * 0.9 ? `${bytes} of ${CONTENT_BYTES} bytes` : "";
		$("text-size").classList.toggle("error", bytes > CONTENT_BYTES);
		if (isTyping && this.text.value !== "" && Date.now() - this.typedAt > TYPING_EVERY_MS) {
			this.typedAt = Date.now();
			this.typing();
		}
	}

	mention(name) {
		const text = this.text.value;
		this.text.value = `${text}${text === "" || /\s$/.test(text) ? "" : " "}@${name} `;
		this.changed(false);
		this.text.focus();
	}

	reply(message) {
		this.replyTo = message;
		$("reply-bar").hidden = message === null;
		$("reply-text").textContent = message ?
			`Reply to ${message.author.name}: ${message.content.slice(0, 100)}` : "";
		if (message)
			this.text.focus();
	}

	/* ---- sending ---- */

	submit() {
		const content = this.text.value.trim();
		if ($("send").disabled || !this.room)
			return;
		const pending = { id: uuid(), room: this.room.id, content, replyTo: this.replyTo?.seq };
		this.text.value = "";
		this.reply(null);
		this.changed(false);
		this.typedAt = 0;
		pending.note = el("p", { class: "note", role: "status" });
		pending.node = messageNode({ author: { kind: "user", name: this.me.username }, content }, { mine: true,
			names: this.names() });
		pending.node.querySelector(".body").append(pending.note);
		pending.node.classList.add("pending");
		$("tail").append(pending.node);
		$("empty").hidden = true;
		this.pending.set(pending.id, pending);
		this.timeline.toEnd();
		this.deliver(pending);
	}

	async deliver(pending) {
		pending.flying = true;
		pending.refused = false;
		pending.node.classList.remove("failed");
		pending.note.textContent = "Sending…";
		try {
			const ack = await this.send(pending);
			this.pending.delete(pending.id);
			pending.node.remove();
			if (this.room?.id === pending.room)
				this.onsent({ id: `${pending.room}.${ack.seq}`, room_id: pending.room, seq: ack.seq,
					author: { kind: "user", id: this.me.id, name: this.me.username }, content: pending.content,
					created_at: ack.created_at, reply_to: pending.replyTo ?? null, client_id: pending.id });
		} catch (why) {
			pending.flying = false;
			pending.tries = (pending.tries ?? 0) + 1;
			if (why.code !== "lost" && !(why.temporary && pending.tries <= RETRIES)) {
				this.failed(pending, why);
				return;
			}
			pending.note.textContent = why.code === "lost" ? "Will be sent when the connection is back." :
				"Trying again…";
			clearTimeout(this.timer);
			this.timer = setTimeout(() => this.resume(), (why.retryAfter || 3) * 1000);
		}
	}

	failed(pending, why) {
		pending.refused = true;
		pending.node.classList.add("failed");
		pending.note.replaceChildren(`Not sent: ${why.sentence} `,
			el("button", { type: "button", class: "small", on: { click: () => this.deliver(pending) } },
				"Try again"), " ",
			el("button", { type: "button", class: "small", on: { click: () => this.discard(pending) } },
				"Discard"));
	}

	discard(pending) {
		this.pending.delete(pending.id);
		pending.node.remove();
		if (this.text.value === "" && this.room?.id === pending.room) {
			this.text.value = pending.content;
			this.changed(false);
		}
	}

	/** Called when the connection is restored. */
	resume() {
		for (const pending of this.pending.values())
			if (!pending.flying && !pending.refused)
				this.deliver(pending);
	}

	/** The message arrived before its ack, or in another way: it is no longer pending. */
	arrived(clientId) {
		const pending = this.pending.get(clientId);
		if (pending) {
			this.pending.delete(clientId);
			pending.node.remove();
		}
	}
}
