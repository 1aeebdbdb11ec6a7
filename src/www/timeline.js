// SPDX-License-Identifier: ISC
/*
 * The messages of the open room, ordered by seq, each once. Keeps the position of the reader: at the end, it follows
 * new messages; further up, it does not move.
 */
import { $, avatar, dayOf, dayText, el, timeNode } from "./dom.js";
import { markdown } from "./markdown.js";

const NEAR_END_PX = 60, TOGETHER_MS = 5 * 60000;
const STOPS = { cancelled: "Stopped.", interrupted: "Interrupted.", failed: "Failed.",
	length: "Cut off at the maximum length." };

/** What an answer cites: "[1] Title", and the start of the passage. Its document may have been deleted meanwhile. */
function sources(citations) {
	return el("ul", { class: "sources" }, ...citations.map((c) => el("li", { class: "note", title: c.text },
		`[${c.mark}] ${c.title}`)));
}

/** The reasoning of a model before its answer; closed until the user opens it. */
function thoughts(text) {
	return el("details", { class: "thoughts" }, el("summary", {}, "Reasoning"), el("div", { class: "text" }, markdown(text)));
}

/** A message of a blocked user; closed until the user opens it. */
function folded(text) {
	return el("details", { class: "folded" }, el("summary", {}, "You blocked this user"), text);
}

/**
 * A message as an element. options: { mine, blocked, names: [who can be mentioned], quote: node, below: node, tools: [nodes],
 * onversions: show earlier texts }
 */
export function messageNode(message, { mine = false, blocked = false, names = [], quote = null, below = null, tools = [],
	onversions } = {}) {
	const { kind, name } = message.author;
	const label = name ?? (kind === "system" ? "Parlour" : "somebody");
	const stop = STOPS[message.usage?.stop];
	const text = message.deleted_at ? el("p", { class: "note deleted" }, "This message was deleted.") :
		el("div", { class: "text" }, markdown(message.content, names));
	const about = [message.model, message.usage?.total_tokens &&
		`${message.usage.estimated ? "about " : ""}${message.usage.total_tokens} tokens`].filter(Boolean).join(", ");
	return el("li", { class: `message ${kind}${mine ? " mine" : ""}` },
		el("div", { class: "day", hidden: true }),
		avatar(label, kind === "role"),
		el("div", { class: "body" },
			el("header", {}, el("strong", {}, label), kind === "role" && el("span", { class: "badge",
				title: about }, "AI"),
				message.created_at && timeNode(message.created_at),
				message.edited_at && !message.deleted_at && el("button", { type: "button", class: "small edited",
					title: "Show earlier texts", on: { click: onversions } }, "edited"),
				message.pinned_at && el("span", { class: "pinned" }, "📌 pinned")),
			!blocked && quote,
			message.reasoning && thoughts(message.reasoning),
			blocked && !message.deleted_at ? folded(text) : text,
			message.citations && sources(message.citations),
			message.knowledge && el("p", { class: "note" }, "Written without the knowledge base, which did not respond."),
			stop && el("p", { class: "note" }, stop),
			below),
		el("div", { class: "tools" }, ...tools));
}

export class Timeline {
	/** hooks: { me, names(), onreply(message), onolder(), onplace(), blocks, revise, react } */
	constructor(hooks) {
		Object.assign(this, hooks, { items: [], bySeq: new Map(), follows: true, unseen: 0 });
		this.scroller = $("scroller");
		this.list = $("log");
		this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
		$("newest").addEventListener("click", () => this.toEnd());
		const observer = new ResizeObserver(() => this.settle());
		for (const id of ["scroller", "log", "tail"])
			observer.observe($(id));
	}

	clear() {
		this.items = [];
		this.bySeq.clear();
		this.list.replaceChildren();
		this.toEnd();
	}

	get first() {
		return this.items.find((item) => item.message)?.seq;
	}

	get last() {
		return this.items.length ? this.items[this.items.length - 1].seq : 0;
	}

	/** The message at a position, if it is loaded. */
	get(seq) {
		return this.bySeq.get(seq)?.message;
	}

	hasGeneration(id) {
		return this.items.some((item) => item.message?.generation_id === id);
	}

	/* ---- content ---- */

	/** One message; the same seq again replaces it. */
	add(message) {
		const old = this.bySeq.get(message.seq);
		const item = { seq: message.seq, message };
		item.node = this.render(message);
		if (old) {
			old.node.replaceWith(item.node);
			this.items[this.items.indexOf(old)] = item;
			this.bySeq.set(item.seq, item);
			this.decorate(this.items.indexOf(item));
			return;
		}
		this.bySeq.set(item.seq, item);
		this.insert(item);
		if (!this.follows && item === this.items[this.items.length - 1]) {
			this.unseen++;
			this.showNewest();
		}
	}

	/** The list of blocked users has changed. */
	refold() {
		for (const { message } of this.items.filter((item) => item.message?.author.kind === "user"))
			this.add(message);
	}

	/** A line that is not a message, such as "ann joined", at its place in the log. */
	addLine(seq, text, isError = false) {
		const item = { seq, node: el("li", { class: isError ? "line bad" : "line" }, text) };
		if (Number.isInteger(seq)) {
			if (this.bySeq.has(seq))
				return;
			this.bySeq.set(seq, item);
		}
		this.insert(item);
	}

	/** Puts the line "new messages" above the first message of others after this position; shows it, if told to. */
	markNew(seq, shows = false) {
		const old = this.items.findIndex((item) => item.isNew);
		if (old >= 0) {
			this.items[old].node.remove();
			this.items.splice(old, 1);
		}
		const first = this.items.find(({ message }) => message && message.seq > seq && !message.deleted_at &&
			!(message.author.kind === "user" && message.author.id === this.me.id));
		if (!first)
			return;
		const node = el("li", { class: "line new", role: "separator" }, "New messages");
		this.insert({ seq: first.seq - 0.5, node, isNew: true });
		if (shows && node.offsetTop < this.scroller.scrollTop) {
			this.follows = false;
			node.scrollIntoView({ block: "center" });
		}
	}

	/** A page of older messages; the messages that are visible do not move. */
	addOlder(messages) {
		const before = this.scroller.scrollHeight - this.scroller.scrollTop;
		for (const message of [...messages].reverse())
			if (!this.bySeq.has(message.seq))
				this.add(message);
		if (!this.follows)
			this.scroller.scrollTop = this.scroller.scrollHeight - before;
	}

	change(seq, fields) {
		const item = this.bySeq.get(seq);
		if (item?.message)
			this.add({ ...item.message, ...fields });
		for (const { message, node } of this.items)
			if (message?.reply_to === seq)
				node.querySelector(".quote")?.replaceWith(this.quote(message));
	}

	insert(item) {
		let at = this.items.length;
		while (at > 0 && this.items[at - 1].seq > item.seq)
			at--;
		this.list.insertBefore(item.node, this.items[at]?.node ?? null);
		this.items.splice(at, 0, item);
		this.decorate(at);
		if (at + 1 < this.items.length)
			this.decorate(at + 1);
		$("empty").hidden = true;
	}

	isBlocked({ author }) {
		return author.kind === "user" && this.blocks.has(author.id);
	}

	render(message) {
		const mine = message.author.kind === "user" && message.author.id === this.me.id;
		const here = () => this.bySeq.get(message.seq).node;
		const reply = el("button", { type: "button", class: "small",
			on: { click: () => this.onreply(message) } }, "Reply");
		const node = messageNode(message, { mine, blocked: this.isBlocked(message), names: this.names(), quote: this.quote(message),
			below: this.react.shown(message),
			tools: message.deleted_at ? [] : [reply, ...this.react.tools(message, here), ...this.revise.tools(message, mine, here)],
			onversions: () => this.revise.versions(message, here()) });
		node.dataset.seq = message.seq;
		return node;
	}

	/* Shows which message this one answers, unless that is directly above. */
	quote(message) {
		if (!message.reply_to || message.reply_to === message.seq - 1)
			return null;
		const target = this.get(message.reply_to);
		const text = target && this.isBlocked(target) ? "a message of a user whom you blocked" : target ? `${target.author.name}: ${target.deleted_at ? "deleted message" : target.content.slice(0, 120)}` : "an earlier message";
		return el("button", { type: "button", class: "quote",
			on: { click: () => this.show(message.reply_to) } }, text);
	}

	show(seq) {
		const node = this.bySeq.get(seq)?.node;
		if (!node)
			return;
		node.scrollIntoView({ block: "center" });
		node.classList.add("shown");
		setTimeout(() => node.classList.remove("shown"), 1500);
	}

	dayBefore(at) {
		while (--at >= 0)
			if (this.items[at].message)
				return dayOf(this.items[at].message.created_at);
		return "";
	}

	/* A date above the first message of a day; no name above messages of one author in quick succession. */
	decorate(at) {
		const { message, node } = this.items[at];
		if (!message)
			return;
		const before = this.items[at - 1]?.message;
		const newDay = this.dayBefore(at) !== dayOf(message.created_at);
		const label = node.querySelector(".day");
		label.hidden = !newDay;
		label.textContent = newDay ? dayText(message.created_at) : "";
		node.classList.toggle("grouped", !newDay && !node.querySelector(".quote, .pinned") && before !== undefined &&
			before.author.kind === message.author.kind && before.author.id === message.author.id &&
			Date.parse(message.created_at) - Date.parse(before.created_at) < TOGETHER_MS);
	}

	/* ---- place ---- */

	scrolled() {
		const s = this.scroller;
		this.follows = s.scrollHeight - s.scrollTop - s.clientHeight < NEAR_END_PX;
		if (this.follows)
			this.unseen = 0;
		this.showNewest();
		this.onplace();
		if (s.scrollTop < 400)
			this.onolder();
	}

	settle() {
		if (this.follows)
			this.scroller.scrollTop = this.scroller.scrollHeight;
		else
			this.showNewest();
	}

	toEnd() {
		this.follows = true;
		this.unseen = 0;
		this.settle();
		this.showNewest();
	}

	showNewest() {
		$("newest").hidden = this.follows;
		$("newest").textContent = this.unseen ? `${this.unseen} new ↓` : "Newest messages ↓";
	}
}
