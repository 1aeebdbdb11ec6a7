// SPDX-License-Identifier: ISC
/*
 * Editing and deleting a message, and its earlier texts. The result arrives as an event of the room, on this page as on
 * all others.
 */
import { call } from "./api.js";
import { attempt, el, timeNode } from "./dom.js";
import { markdown } from "./markdown.js";

const button = (text, click, kind = "small") => el("button", { type: "button", class: kind, on: { click } }, text);
const address = ({ room_id: room, seq }) => `/api/rooms/${room}/messages/${seq}`;

export class Reviser {
	/** hooks: { mayModerate() } */
	constructor(hooks) {
		Object.assign(this, hooks);
	}

	/** Buttons for a message. node(): its element at the time of the click. */
	tools(message, mine, node) {
		return [mine && button("Edit", () => this.edit(message, node())),
			(mine || this.mayModerate()) && button("Delete", () => this.remove(message))].filter(Boolean);
	}

	edit(message, node) {
		if (node.querySelector(".edit"))
			return;
		const text = node.querySelector(".text");
		const area = el("textarea", { "aria-label": "Text of the message" });
		area.value = message.content;
		const close = () => {
			form.remove();
			text.hidden = false;
		};
		const save = () => attempt(async () => {
			const content = area.value.trim();
			if (content !== "" && content !== message.content)
				await call("PATCH", address(message), { content });
			close();
		});
		const form = el("div", { class: "edit" }, area, el("menu", {}, button("Save", save, "small primary"), button("Cancel", close)));
		form.addEventListener("keydown", (event) => {
			if (event.key === "Escape")
				close();
			else if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
				save();
		});
		text.hidden = true;
		text.after(form);
		area.focus();
	}

	remove(message) {
		if (confirm("Delete this message? Its text cannot be restored."))
			attempt(() => call("DELETE", address(message)));
	}

	/** Shows the earlier texts below the message, or hides them again. */
	async versions(message, node) {
		const shown = node.querySelector(".versions");
		if (shown) {
			shown.remove();
			return;
		}
		const list = await attempt(() => call("GET", `${address(message)}/versions?limit=50`));
		if (list)
			node.querySelector(".body").append(el("ol", { class: "versions" }, ...list.map((one) =>
				el("li", {}, timeNode(one.written_at), el("div", {}, markdown(one.content))))));
	}
}
