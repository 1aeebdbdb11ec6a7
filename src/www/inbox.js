// SPDX-License-Identifier: ISC
/*
 * The bell: the number of unread notifications, and a plain list of the newest. The socket announces new ones; after a
 * lost connection the number is read again.
 */
import { call } from "./api.js";
import { $, attempt, dayText, el, timeNode, wireDialog } from "./dom.js";

const SHOWN = 50;
const WHAT = { mention: "mentioned you", reply: "answered you", added: "added you", invite: "used your invite",
	question: "asks you" };

export class Inbox {
	/** hooks: { socket, onopen(id of a room), onframe(frame of user:me) } */
	constructor(hooks) {
		Object.assign(this, hooks, { items: [], unread: 0 });
		wireDialog($("inbox-dialog"));
		$("inbox-open").addEventListener("click", () => this.dialog());
		$("inbox-read").addEventListener("click", () => attempt(() => this.readAll(), $("inbox-error")));
		this.socket.subscribe("user:me", {}, (frame) => this.receive(frame));
	}

	/* Whenever the topic is subscribed again, notifications may have been missed. */
	receive(frame) {
		this.onframe(frame);
		if (frame.type === "subscribed") {
			this.load().catch(() => {});
		} else if (frame.type === "notification") {
			this.count(frame.unread);
			if ($("inbox-dialog").open)
				this.load().catch(() => {});
		}
	}

	count(unread) {
		this.unread = unread;
		$("inbox-count").textContent = unread > 99 ? "99+" : unread || "";
		$("inbox-open").setAttribute("aria-label", unread ? `Notifications, ${unread} unread` : "Notifications");
		$("inbox-read").hidden = unread === 0;
	}

	async load() {
		const { items, unread } = await call("GET", `/api/notifications?limit=${SHOWN}`);
		this.items = items;
		this.count(unread);
		this.paint();
	}

	dialog() {
		return attempt(async () => {
			$("inbox-error").textContent = "";
			await this.load();
			if (!$("inbox-dialog").open)
				$("inbox-dialog").showModal();
		});
	}

	async readAll() {
		const { unread } = await call("POST", "/api/notifications/read-all",
			this.items.length ? { up_to: this.items[0].id } : {});
		this.count(unread);
		await this.load();
	}

	open(item) {
		return attempt(async () => {
			if (!item.read_at)
				this.count((await call("POST", `/api/notifications/${item.id}/read`, {})).unread);
			if (item.room_id) {
				$("inbox-dialog").close();
				this.onopen(item.room_id);
			} else {
				await this.load();
			}
		}, $("inbox-error"));
	}

	paint() {
		$("inbox-list").replaceChildren(...this.items.map((item) => this.entry(item)));
		if (this.items.length === 0)
			$("inbox-list").append(el("li", { class: "note" }, "There are no notifications."));
	}

	entry(item) {
		const where = item.room ? ` in ${item.room}` : "";
		return el("li", { class: item.read_at ? "" : "unread" }, el("button", { type: "button", class: "quiet",
			on: { click: () => this.open(item) } },
		el("strong", {}, item.actor ?? "Somebody"), ` ${WHAT[item.kind]}${where}`,
		item.text && el("span", { class: "text" }, item.text),
		el("small", {}, `${dayText(item.created_at)}, `, timeNode(item.created_at))));
	}
}
