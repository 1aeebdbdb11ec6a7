// SPDX-License-Identifier: ISC
/*
 * One native socket (/ws) that stays: connects with a one-use ticket, renews its token, reconnects with growing, spread
 * pauses, and subscribes again from the last position it has seen, so nothing is missed.
 *
 *   socket.onstate({ state: "connecting"|"live"|"waiting"|"closed", at })    at: time of the next attempt
 *   socket.subscribe(topic, { since, epoch }, onframe)                        onframe gets every frame of the topic
 *   socket.onrefused(frame)      an error for a frame with an id that nobody waits for (a good `stop` has no answer)
 *   socket.request(frame) -> promise of the direct answer                     rejected with a Failure
 */
import { call, endSession, events, Failure, refresh } from "./api.js";
import { uuid } from "./dom.js";

const FIRST_MS = 500, LONGEST_MS = 30000, SPREAD_MS = 3000, ANSWER_MS = 15000, PONG_MS = 10000, STABLE_MS = 5000;
const RENEW_BEFORE_MS = 60000;
/* Frames with a `seq` that is not the position of an entry in the room's log. */
const NOT_LOG = new Set(["ack", "read", "subscribed", "presence", "typing", "generation", "error"]);
const ENDS = { 4403: "You do not have permission to do this.", 4404: "This no longer exists.",
	4410: "Your login session has ended." };

function failureOf({ code, detail, temporary, retry_after: retryAfter = 0 }) {
	const sentence = code === "rate_limited" ? `Too many requests. Try again in ${retryAfter || 1} s.` : detail;
	return new Failure(sentence, { code, temporary, retryAfter, status: 1 });
}

export class Socket {
	constructor(onstate) {
		Object.assign(this, { onstate, topics: new Map(), waiting: new Map(), ws: null, live: false,
			stopped: true, tries: 0,
			turn: 0, timers: {} });
		this.onVisible = () => document.visibilityState === "visible" && this.hurry();
		this.onOnline = () => this.hurry();
	}

	start() {
		this.stopped = false;
		addEventListener("online", this.onOnline);
		document.addEventListener("visibilitychange", this.onVisible);
		this.connect();
	}

	stop() {
		this.stopped = true;
		removeEventListener("online", this.onOnline);
		document.removeEventListener("visibilitychange", this.onVisible);
		this.drop();
		this.topics.clear();
		this.onstate({ state: "closed" });
	}

	/** Do not wait any longer: connect now, or find out whether the connection still lives. */
	hurry() {
		if (this.live)
			this.ping();
		else if (this.timers.again !== undefined)
			this.connect();
	}

	/* ---- connection ---- */

	async connect() {
		const turn = ++this.turn;
		this.clearTimers();
		this.onstate({ state: "connecting" });
		try {
			const { ticket } = await call("POST", "/api/auth/ws-ticket", {});
			if (turn === this.turn && !this.stopped)
				this.open(ticket);
		} catch (why) {
			if (turn === this.turn && !this.stopped)
				this.again(this.pause() + (why.retryAfter ?? 0) * 1000);
		}
	}

	open(ticket) {
		const scheme = location.protocol === "https:" ? "wss:" : "ws:";
		const ws = new WebSocket(`${scheme}//${location.host}/ws?ticket=${encodeURIComponent(ticket)}`,
			["parlour.v1"]);
		this.ws = ws;
		this.opened = Date.now();
		ws.onmessage = (event) => {
			if (ws === this.ws)
				this.receive(event.data);
		};
		ws.onclose = (event) => {
			if (ws === this.ws)
				this.closed(event.code);
		};
	}

	/* Forgets the connection without waiting for a closing handshake that may never come. */
	drop() {
		this.turn++;
		this.clearTimers();
		const ws = this.ws;
		this.ws = null;
		this.live = false;
		if (ws)
			ws.close(1000);
		for (const { reject } of this.waiting.values())
			reject(new Failure("The connection was lost.", { temporary: true, code: "lost" }));
		this.waiting.clear();
	}

	closed(code) {
		const stable = this.live && Date.now() - this.opened > STABLE_MS;
		this.drop();
		if (stable)
			this.tries = 0;
		if (code in ENDS) {
			this.stopped = true;
			this.onstate({ state: "closed" });
			endSession(ENDS[code] + " Sign in again.");
		} else if (code === 4401) {
			this.renewThenConnect();
		} else if (code === 1001 || code === 1012) {
			/* all clients were disconnected: spread the reconnects */
			this.again(200 + Math.random() * SPREAD_MS);
		} else {
			this.again(this.pause() + (code === 4429 ? 5000 : 0));
		}
	}

	async renewThenConnect() {
		const turn = this.turn;
		try {
			await refresh();
		} catch (why) {
			if (why.status === 401)
				return; /* the session is over */
		}
		if (turn === this.turn && !this.stopped)
			this.again(this.tries++ > 2 ? this.pause() : 0);
	}

	pause() {
		const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.tries++, 10));
		return most / 2 + Math.random() * most / 2;
	}

	again(ms) {
		if (this.stopped)
			return;
		this.onstate({ state: "waiting", at: Date.now() + ms });
		this.timers.again = setTimeout(() => this.connect(), ms);
	}

	clearTimers() {
		clearTimeout(this.timers.again);
		clearTimeout(this.timers.renew);
		clearTimeout(this.timers.pong);
		clearInterval(this.timers.ping);
		this.timers = {};
	}

	ping() {
		this.send({ type: "ping" });
		this.timers.pong ??= setTimeout(() => this.closed(1006), PONG_MS);
	}

	/* ---- frames ---- */

	receive(text) {
		const frame = JSON.parse(text);
		clearTimeout(this.timers.pong);
		this.timers.pong = undefined;
		if (frame.type === "authed")
			this.authed(frame);
		const answer = frame.id !== undefined ? this.waiting.get(frame.id) : undefined;
		if (answer) {
			this.waiting.delete(frame.id);
			clearTimeout(answer.timer);
			if (frame.type === "error")
				answer.reject(failureOf(frame));
			else
				answer.resolve(frame);
		} else if (frame.type === "error" && frame.id !== undefined) {
			this.onrefused?.(frame);
		}
		this.deliver(frame);
	}

	deliver(frame) {
		const topic = this.topics.get(frame.topic);
		if (!topic)
			return;
		if (frame.type === "subscribed") {
			topic.since = frame.recovered ? topic.since ?? frame.seq : frame.seq;
			topic.epoch = frame.epoch;
		} else if (Number.isInteger(frame.seq) && !NOT_LOG.has(frame.type)) {
			topic.since = Math.max(topic.since ?? 0, frame.seq);
		}
		topic.onframe(frame);
	}

	authed(frame) {
		const left = Date.parse(frame.expires_at) - Date.now();
		clearTimeout(this.timers.renew);
		/* a clock that is wrong must not make us renew without pause; the server says 4401 in any case */
		const pause = Math.max(5000, Math.min(left - RENEW_BEFORE_MS, left * 0.8, 2 ** 31 - 1));
		this.timers.renew = setTimeout(() => this.renew(), pause);
		if (this.live)
			return;
		this.live = true;
		this.tries = Math.min(this.tries, 4);
		this.timers.ping = setInterval(() => this.ping(), (frame.ping_s ?? 25) * 1000);
		this.onstate({ state: "live" });
		for (const name of this.topics.keys())
			this.enterTopic(name);
	}

	async renew() {
		try {
			const { access } = await refresh();
			this.send({ type: "auth", token: access });
		} catch {
			/* the socket lives until its token ends; then closed(4401) tries again */
		}
	}

	send(frame) {
		if (!this.live || this.ws.readyState !== WebSocket.OPEN)
			return false;
		this.ws.send(JSON.stringify(frame));
		return true;
	}

	request(frame) {
		const id = frame.id ?? uuid();
		return new Promise((resolve, reject) => {
			if (!this.send({ ...frame, id })) {
				reject(new Failure("Not connected to the server.", { temporary: true, code: "lost" }));
				return;
			}
			const timer = setTimeout(() => {
				this.waiting.delete(id);
				reject(new Failure("The server did not answer in time.", { temporary: true,
					code: "lost" }));
			}, ANSWER_MS);
			this.waiting.set(id, { resolve, reject, timer });
		});
	}

	/* ---- topics ---- */

	subscribe(topic, { since, epoch }, onframe, onerror) {
		this.topics.set(topic, { since, epoch, onframe, onerror });
		if (this.live)
			this.enterTopic(topic);
	}

	enterTopic(name) {
		const topic = this.topics.get(name);
		const frame = { type: "subscribe", topic: name };
		if (topic.since !== undefined)
			Object.assign(frame, { since: topic.since, epoch: topic.epoch });
		this.request(frame).catch((why) => {
			if (this.topics.get(name) !== topic || why.code === "lost")
				return;
			if (why.temporary)
				setTimeout(() => this.live && this.topics.get(name) === topic && this.enterTopic(name),
					2000 + Math.random() * 2000);
			else
				topic.onerror?.(why);
		});
	}

	unsubscribe(topic) {
		if (this.topics.delete(topic))
			this.send({ type: "unsubscribe", topic });
	}
}

/** A socket that ends with the session. */
export function openSocket(onstate) {
	const socket = new Socket(onstate);
	events.addEventListener("ended", () => socket.stop(), { once: true });
	socket.start();
	return socket;
}
