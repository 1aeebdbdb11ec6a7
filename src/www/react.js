// SPDX-License-Identifier: ISC
/*
 * Reactions to messages, and pinned messages. As for edits, the result comes as an event of the room, for this page as for
 * all others.
 */
import { call } from "./api.js";
import { $, attempt, el, wireDialog } from "./dom.js";
import { markdown } from "./markdown.js";

const COMMON = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "✅"];

const button = (text, click, attributes = {}) => el("button", { type: "button", class: "small", ...attributes,
	on: { click } }, text);
const address = ({ room_id: room, seq }) => `/api/rooms/${room}/messages/${seq}`;

/** The reactions of a message after an event. */
export function reacted(reactions = [], { type, actor, body: { emoji, count } }) {
	const old = reactions.find((one) => one.emoji === emoji);
	const others = (old?.user_ids ?? []).filter((id) => id !== actor.id);
	const now = { emoji, count, user_ids: type === "reaction_added" ? [...others, actor.id] : others };
	if (count === 0)
		return reactions.filter((one) => one !== old);
	return old ? reactions.map((one) => one === old ? now : one) : [...reactions, now];
}

export class Reactor {
	/** hooks: { me, room(), mayModerate() } */
	constructor(hooks) {
		Object.assign(this, hooks);
		wireDialog($("pins-dialog"));
		$("pins-open").addEventListener("click", () => this.pins());
	}

	/** Buttons for a message. node(): its element at the time of the click. */
	tools(message, node) {
		return [button("React", () => this.pick(message, node())),
			this.mayModerate() && button(message.pinned_at ? "Unpin" : "Pin", () => this.pin(message))].filter(Boolean);
	}

	/** The reactions, as buttons that add or remove one's own. */
	shown(message) {
		const chips = (message.reactions ?? []).map(({ emoji, count, user_ids: users }) => {
			const mine = users.includes(this.me.id);
			return button(`${emoji} ${count}`, () => this.set(message, emoji, !mine), { class: `reaction${mine ? " on" : ""}`,
				"aria-pressed": String(mine), "aria-label": `${emoji}, ${count}; ${mine ? "remove your reaction" : "react, too"}` });
		});
		return chips.length ? el("div", { class: "reactions" }, chips) : null;
	}

	set(message, emoji, on) {
		return attempt(() => call(on ? "PUT" : "DELETE", `${address(message)}/reactions/${encodeURIComponent(emoji)}`));
	}

	pick(message, node) {
		const open = node.querySelector(".picker");
		if (open) {
			open.remove();
			return;
		}
		const take = (emoji) => {
			form.remove();
			this.set(message, emoji, true);
		};
		const other = el("input", { "aria-label": "Another emoji", placeholder: "Other", maxlength: 32, size: 5 });
		const form = el("form", { class: "picker" }, COMMON.map((emoji) => button(emoji, () => take(emoji))), other);
		form.addEventListener("submit", (event) => {
			event.preventDefault();
			if (other.value.trim() !== "")
				take(other.value.trim());
		});
		form.addEventListener("keydown", (event) => event.key === "Escape" && form.remove());
		node.querySelector(".body").append(form);
		form.querySelector("button").focus();
	}

	async pins() {
		const list = await attempt(() => call("GET", `/api/rooms/${this.room().id}/pins`));
		if (!list)
			return;
		$("pins-list").replaceChildren(...list.map(({ author, content }) => el("li", {}, el("strong", {}, author.name),
			el("div", { class: "text" }, markdown(content)))));
		if (list.length === 0)
			$("pins-list").append(el("li", { class: "note" }, "No message is pinned."));
		$("pins-dialog").showModal();
	}

	pin(message) {
		attempt(() => call(message.pinned_at ? "DELETE" : "PUT", `${address(message)}/pin`));
	}
}
