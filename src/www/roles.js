// SPDX-License-Identifier: ISC
/*
 * The dialog of AI roles: lists all roles, creates one, and adds one to the open room or removes it.
 */
import { call, callAll } from "./api.js";
import { $, attempt, avatar, el, wireDialog } from "./dom.js";

export class Roles {
	/** hooks: { me, room() -> the open room or null, mayChange(), onchanged() } */
	constructor(hooks) {
		Object.assign(this, hooks, { roles: [] });
		wireDialog($("roles-dialog"));
		$("roles-open").addEventListener("click", () => this.dialog());
		$("room-roles-change").addEventListener("click", () => this.dialog());
		$("role-form").addEventListener("submit", (event) => this.create(event));
		$("role-new").addEventListener("toggle", () => this.models());
	}

	async list() {
		this.roles = await callAll("/api/roles", "id", 200);
		return this.roles;
	}

	dialog() {
		return attempt(async () => {
			await this.list();
			$("roles-error").textContent = "";
			$("role-here").hidden = !this.mayChange();
			this.paint();
			if (!$("roles-dialog").open)
				$("roles-dialog").showModal();
		});
	}

	paint() {
		const here = new Set(this.room()?.roles.map((role) => role.id));
		$("roles-list").replaceChildren(...this.roles.map((role) => this.entry(role, here.has(role.id))));
		if (this.roles.length === 0)
			$("roles-list").append(el("li", { class: "note" }, "There are no AI roles yet."));
	}

	entry(role, isHere) {
		const about = [role.model ?? role.upstream, role.instructions.slice(0, 140)].filter(Boolean).join(" · ");
		const attach = () => this.attach(role, !isHere), isMine = role.owner_id === this.me.id || this.me.access === "admin";
		return el("li", {}, avatar(role.name, true),
			el("div", { class: "who" }, el("strong", {}, role.name), el("small", {}, about)),
			this.mayChange() && el("button", { type: "button", class: "small", "aria-pressed": String(isHere),
				on: { click: attach } }, isHere ? "Remove from room" : "Add to room"),
			isMine && el("button", { type: "button", class: "icon", "aria-label": `Delete ${role.name}`,
				on: { click: () => this.remove(role) } }, "×"));
	}

	attach(role, on) {
		return attempt(async () => {
			const { id } = this.room();
			await call(on ? "PUT" : "DELETE", `/api/rooms/${id}/roles/${role.id}`, on ? {} : undefined);
			await this.onchanged();
			this.paint();
		}, $("roles-error"));
	}

	remove(role) {
		if (!confirm(`Delete the role ${role.name}? Its messages are kept.`))
			return;
		attempt(async () => {
			await call("DELETE", `/api/roles/${role.id}`);
			await this.onchanged();
			await this.dialog();
		}, $("roles-error"));
	}

	/* Models, read when the form is opened for the first time; without a reply, only the default is offered. */
	async models() {
		const select = $("role-model");
		if (!$("role-new").open || select.options.length > 1)
			return;
		try {
			for (const model of await call("GET", "/api/llm/models"))
				select.append(el("option", { value: JSON.stringify([model.upstream, model.id]) },
					`${model.id} (${model.upstream})`));
		} catch {
			/* the server's default remains */
		}
	}

	create(event) {
		event.preventDefault();
		const body = { name: $("role-name").value.trim(), instructions: $("role-text").value };
		if ($("role-model").value)
			[body.upstream, body.model] = JSON.parse($("role-model").value);
		attempt(async () => {
			const role = await call("POST", "/api/roles", body, { once: true });
			$("role-form").reset();
			$("role-new").open = false;
			if (this.mayChange() && $("role-attach").checked)
				await this.attach(role, true);
			await this.dialog();
		}, $("roles-error"));
	}
}
