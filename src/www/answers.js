// SPDX-License-Identifier: ISC
/*
 * Answers of AI roles while they are written: each answer with frames `generation` is one element at the end of the
 * messages. The button Stop is below the messages, where it does not move while text arrives.
 *
 * The server counts bytes of UTF-8. A delta whose offset equals the length of our text is appended, and offset 0
 * replaces the text. A higher offset means that a delta is missing, and the text is read over HTTP. The final message
 * replaces the element.
 */
import { call } from "./api.js";
import { $, el } from "./dom.js";
import { markdown } from "./markdown.js";
import { messageNode } from "./timeline.js";

const encoder = new TextEncoder(), decoder = new TextDecoder();
const OVER = new Set(["done", "failed", "cancelled", "interrupted"]);
const LONG_TEXT = 8000, LONG_EVERY_MS = 200;
const GRACE_MS = 2000; /* after reconnecting: time to wait for news about an answer */

export class Answers {
	/** hooks: { timeline, roleName(id), names(), mayStop(reply_to), stop(id) } */
	constructor(hooks) {
		Object.assign(this, hooks, { running: new Map(), over: new Set() });
	}

	clear() {
		for (const answer of this.running.values())
			this.remove(answer);
		this.running.clear();
		this.over.clear();
		clearTimeout(this.timer);
	}

	frame(frame) {
		const id = frame.generation_id;
		let answer = this.running.get(id);
		if (answer)
			answer.stale = false;
		if (OVER.has(frame.state)) {
			this.ended(id, answer, frame);
			return;
		}
		if (this.over.has(id) || this.timeline.hasGeneration(id))
			return;
		answer ??= this.begin(frame);
		if (frame.state === "delta")
			this.delta(answer, frame);
		this.paint(answer, frame.state);
	}

	begin(frame) {
		const name = frame.role ?? this.roleName(frame.role_id);
		const answer = { id: frame.generation_id, name, role: frame.role_id, text: "", bytes: 0, stale: false };
		answer.stop = el("button", { type: "button", class: "small stop", on: { click: () => this.askStop(answer) } },
			`Stop ${name}`);
		if (this.mayStop(frame.reply_to))
			$("running").append(answer.stop);
		answer.node = messageNode({ author: { kind: "role", id: frame.role_id, name }, content: "" });
		answer.node.classList.add("running");
		answer.node.setAttribute("aria-busy", "true");
		answer.body = answer.node.querySelector(".text");
		$("tail").append(answer.node);
		$("empty").hidden = true;
		this.running.set(answer.id, answer);
		return answer;
	}

	askStop(answer) {
		answer.stop.disabled = true;
		answer.stop.textContent = "Stopping…";
		this.stop(answer.id);
	}

	/** The server did not stop the answer. */
	notStopped(id) {
		const answer = this.running.get(id);
		if (answer) {
			answer.stop.disabled = false;
			answer.stop.textContent = `Stop ${answer.name}`;
		}
	}

	delta(answer, { offset, delta }) {
		if (offset > answer.bytes) {
			this.reload(answer);
			return;
		}
		if (offset < answer.bytes)
			answer.text = decoder.decode(encoder.encode(answer.text).subarray(0, offset));
		answer.text += delta;
		answer.bytes = offset + encoder.encode(delta).length;
	}

	/*
	 * Renders at most once per frame of the screen, however fast the words arrive; a long text is rendered less
	 * often.
	 */
	paint(answer, state) {
		answer.node.classList.toggle("waiting", answer.text === "");
		answer.node.dataset.state = state;
		if (answer.painting)
			return;
		answer.painting = true;
		setTimeout(() => requestAnimationFrame(() => {
			answer.painting = false;
			const body = document.createDocumentFragment();
			for (const node of this.content(answer))
				body.append(node);
			answer.body.replaceChildren(body);
		}), answer.text.length > LONG_TEXT ? LONG_EVERY_MS : 0);
	}

	content({ text, node }) {
		if (text !== "")
			return markdown(text, this.names());
		return [el("p", { class: "note" }, node.dataset.state === "queued" ? "waiting for its turn" : "thinking")];
	}

	/* Reads text and state over HTTP if a delta is missing, or after a reconnect. */
	async reload(answer) {
		let now;
		try {
			now = await call("GET", `/api/generations/${answer.id}`);
		} catch {
			return; /* the next frame or reconnect tries again */
		}
		if (this.running.get(answer.id) !== answer)
			return;
		if (OVER.has(now.state)) {
			this.ended(answer.id, answer, now);
		} else if (now.text) {
			answer.text = now.text;
			answer.bytes = encoder.encode(now.text).length;
			this.paint(answer, "delta");
		}
	}

	/** The final message has arrived and replaces its element. */
	message(message) {
		const answer = this.running.get(message.generation_id);
		if (message.generation_id)
			this.over.add(message.generation_id);
		if (answer)
			this.remove(answer);
	}

	ended(id, answer, { state, error }) {
		this.over.add(id);
		if (this.timeline.hasGeneration(id)) {
			if (answer)
				this.remove(answer);
			return;
		}
		if (!answer)
			return;
		if (state === "done") {
			answer.node.classList.remove("running"); /* its message follows */
			answer.stop.remove();
			return;
		}
		const what = { failed: "could not answer", cancelled: "was stopped",
			interrupted: "was interrupted" }[state];
		this.remove(answer);
		this.timeline.addLine(this.timeline.last + 0.001,
			`${answer.name} ${what}${error?.detail ? ": " + error.detail : "."}`,
			state === "failed");
	}

	remove(answer) {
		answer.node.remove();
		answer.stop.remove();
		this.running.delete(answer.id);
	}

	/** The room is subscribed again: answers that the server no longer reports have ended meanwhile. */
	resubscribed() {
		for (const answer of this.running.values())
			answer.stale = true;
		clearTimeout(this.timer);
		this.timer = setTimeout(() => {
			for (const answer of this.running.values())
				if (answer.stale)
					this.reload(answer);
		}, GRACE_MS);
	}
}
