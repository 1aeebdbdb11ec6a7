// SPDX-License-Identifier: ISC
/*
 * Users whom the user has blocked. The server delivers their messages like all others; this page folds them.
 */
import { call } from "./api.js";

export class Blocks {
	/** onchange(): the list has changed, here or in another tab */
	constructor(onchange) {
		this.ids = new Set();
		this.onchange = onchange;
		this.others = new BroadcastChannel("parlour.blocks");
		this.others.addEventListener("message", () => this.load());
	}

	has(id) {
		return this.ids.has(id);
	}

	async load() {
		try {
			this.ids = new Set((await call("GET", "/api/blocks")).map(({ user_id }) => user_id));
		} catch {
			return; /* nothing is folded until the page is reloaded */
		}
		this.onchange();
	}

	async change(id, blocked) {
		await call(blocked ? "PUT" : "DELETE", `/api/users/${id}/block`);
		this.others.postMessage(id);
		await this.load();
	}
}
