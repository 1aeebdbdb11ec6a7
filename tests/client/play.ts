// SPDX-License-Identifier: ISC
/*
 * A client generated from /openapi.json that uses a running server: PARLOUR_URL. It compiles strictly, without a cast
 * and without `any`, so everything that it reads must be in the description. It prints a line per part; the last one is
 * "done".
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];

const baseUrl = process.env["PARLOUR_URL"] ?? "http://127.0.0.1:8000";
const name = () => `u${randomBytes(5).toString("hex")}`;

class Person {
	readonly client = createClient<paths>({ baseUrl });
	token = "";

	constructor() {
		const auth: Middleware = {
			onRequest: ({ request }) => {
				if (this.token !== "")
					request.headers.set("Authorization", `Bearer ${this.token}`);
				return request;
			},
		};
		this.client.use(auth);
	}
}

/* The body of a reply that must be successful. */
function good<T>(reply: { data?: T; error?: unknown; response: Response }): T {
	assert.ok(reply.data !== undefined, `${reply.response.url}: ${reply.response.status} ${JSON.stringify(reply.error)}`);
	return reply.data;
}

/* A list is an array, or a page of it. */
type Listed<T> = T[] | { items: T[]; total: number; page: number; page_size: number; next: string | null };

function items<T>(list: Listed<T>): T[] {
	return Array.isArray(list) ? list : list.items;
}

async function accounts(): Promise<{ ann: Person; user: Schemas["user_out"] }> {
	const ann = new Person();
	const username = name(), password = "correct horse 9";
	const body: Schemas["register_in"] = { username, password, email: `${username}@example.org`, name: "Ann" };
	const made = good(await ann.client.POST("/api/auth/register", { body }));
	assert.ok("user" in made, "a server may want the address verified first");
	assert.equal(made.user.username, username);

	const twice = await ann.client.POST("/api/auth/register", { body });
	assert.equal(twice.response.status, 409);
	assert.equal(twice.error?.code, "taken");

	const wrong = await ann.client.POST("/api/auth/login", { body: { username, password: "not this one" } });
	assert.equal(wrong.error?.code, "invalid_grant");

	const invalid = await ann.client.POST("/api/auth/register", { body: { ...body, username: "no blanks" } });
	const detail = invalid.error?.detail;
	assert.ok(Array.isArray(detail) && detail[0]?.loc.includes("username") && detail[0].msg !== "");

	const tokens = good(await ann.client.POST("/api/auth/login", { body: { username, password } }));
	assert.equal(tokens.token_type, "bearer");
	ann.token = tokens.access_token;
	const me = good(await ann.client.GET("/api/auth/me"));
	assert.equal(me.id, made.user.id);
	assert.equal(me.access, "user" satisfies Schemas["user_out"]["access"]);

	const again = good(await ann.client.POST("/api/auth/refresh", { body: { refresh_token: tokens.refresh_token } }));
	ann.token = again.access_token;
	const logins = items(good(await ann.client.GET("/api/auth/sessions", { params: { query: { limit: 10 } } })));
	assert.ok(logins.some((login) => login.current));
	return { ann, user: me };
}

async function rooms(ann: Person): Promise<string> {
	const role = good(await ann.client.POST("/api/roles", { body: { name: name(), instructions: "Answer briefly." } }));
	const room = good(await ann.client.POST("/api/rooms", {
		params: { header: { "Idempotency-Key": name() } },
		body: { name: "Tea room", role_ids: [role.id], reply_policy: "mention" },
	}));
	assert.deepEqual(room.roles.map((one) => one.id), [role.id]);
	const path = { room_id: room.id };

	const sent = good(await ann.client.POST("/api/rooms/{room_id}/messages", {
		params: { path }, body: { content: "Hello", client_id: "c-1" } }));
	assert.equal(sent.author.kind, "user");
	const repeated = await ann.client.POST("/api/rooms/{room_id}/messages", {
		params: { path }, body: { content: "Hello", client_id: "c-1" } });
	assert.equal(repeated.response.status, 200);
	assert.equal(good(repeated).seq, sent.seq);

	const list = good(await ann.client.GET("/api/rooms/{room_id}/messages", { params: { path, query: { limit: 5 } } }));
	assert.ok(list.some((message) => message.id === sent.id && message.usage === undefined));
	const members = good(await ann.client.GET("/api/rooms/{room_id}/members", { params: { path, query: { page: 1 } } }));
	assert.ok(!Array.isArray(members) && members.total === 1 && members.items[0]?.level === "owner");

	const missing = await ann.client.GET("/api/rooms/{room_id}", { params: { path: { room_id: 999999999 } } });
	assert.equal(missing.error?.code, "not_found");
	return sent.id;
}

/* Chat sessions, as a guest. */
async function chat(): Promise<void> {
	const guest = new Person();
	const session = good(await guest.client.POST("/api/sessions", { body: { kind: "chat" } }));
	assert.equal(session.state, "open");
	const body: Schemas["chat_in"] = { message: "Hello", session_id: session.session_id };
	const answer = good(await guest.client.POST("/api/chat", { body }));
	assert.ok(typeof answer !== "string");
	const collected: { [slot: string]: boolean } = answer.data_collected;
	assert.deepEqual(collected, {});
	for (const citation of answer.citations ?? [])
		assert.ok(citation.mark > 0 && citation.title !== "");

	const stream = await guest.client.POST("/api/chat", { body, headers: { Accept: "text/event-stream" }, parseAs: "text" });
	assert.equal(stream.response.headers.get("Content-Type"), "text/event-stream");
	const text = good(stream);
	assert.ok(typeof text === "string");
	const last = text.trimEnd().split("\n\n").at(-1) ?? "";
	assert.ok(last.startsWith("event: done\n"), last);
	const done: Schemas["chat_out"] = JSON.parse(last.split("data: ")[1] ?? "");
	assert.equal(done.session_id, session.id);

	const said = good(await guest.client.GET("/api/sessions/{session_id}/messages", {
		params: { path: { session_id: session.id } } }));
	assert.equal(said.filter((message) => message.author === "user").length, 2);
	const ended = await guest.client.DELETE("/api/sessions/{session_id}", { params: { path: { session_id: session.id } } });
	assert.equal(ended.response.status, 204);
	const over = await guest.client.POST("/api/chat", { body });
	assert.equal(over.error?.code, "conflict");
}

/* Usage: figures as JSON and as CSV, a question in words. */
async function figures(ann: Person): Promise<void> {
	const all = good(await ann.client.GET("/api/metrics"));
	const active = all.active_users?.value ?? null;
	assert.ok(active === null || active >= 0);
	const points = good(await ann.client.GET("/api/metrics/raw", { params: { query: { bucket: "week" } } }));
	assert.ok(Array.isArray(points));
	const csv = good(await ann.client.GET("/api/metrics/raw", { params: { query: { format: "csv" } }, parseAs: "text" }));
	assert.ok(typeof csv === "string" && csv.startsWith("timestamp,metric,value"));
	const answer = good(await ann.client.POST("/api/query", { body: { query: "messages per day last 7 days" } }));
	assert.equal(answer.columns.length, answer.rows[0]?.length ?? answer.columns.length);
	assert.equal(answer.intent.dimensions[0], "day");
}

async function dashboards(ann: Person): Promise<void> {
	const path = { layout_id: "main" };
	const card: Schemas["dashboard_card_in"] = { id: "c1", type: "line", title: "Sessions", x: 0, y: 0, w: 6, h: 3 };
	const saved = await ann.client.PUT("/api/dashboard/{layout_id}", { params: { path }, body: { cards: [card] } });
	const etag = saved.response.headers.get("ETag") ?? "";
	assert.equal(etag, `"${good(saved).version}"`);
	const same = await ann.client.GET("/api/dashboard/{layout_id}", { params: { path, header: { "If-None-Match": etag } } });
	assert.equal(same.response.status, 304);
	const moved = { ...card, x: 6 };
	good(await ann.client.PUT("/api/dashboard/{layout_id}", {
		params: { path, header: { "If-Match": etag } }, body: { cards: [moved] } }));
	const stale = await ann.client.PUT("/api/dashboard/{layout_id}", {
		params: { path, header: { "If-Match": etag } }, body: { cards: [card] } });
	assert.equal(stale.response.status, 412);
	assert.equal(stale.error?.code, "precondition_failed");
	const boards = items(good(await ann.client.GET("/api/dashboards")));
	assert.equal(boards[0]?.cards[0]?.x, 6);
	const fresh = good(await ann.client.GET("/api/dashboard/{layout_id}", {
		params: { path: { layout_id: "fresh" }, query: { default: "1" } } }));
	assert.deepEqual([fresh.version, fresh.cards[0]?.position?.x], [0, 0]);
}

async function feedback(ann: Person, message: string, username: string): Promise<void> {
	const vote = await ann.client.POST("/api/feedback", {
		body: { target: { kind: "message", id: message }, score: 1, comment: "Good." } });
	assert.equal(vote.response.status, 201);
	const changed = await ann.client.POST("/api/feedback", { body: { target: { kind: "message", id: message }, score: -1 } });
	assert.equal(changed.response.status, 200);
	assert.equal(good(changed).id, good(vote).id);

	const asked = good(await ann.client.POST("/api/feedback-requests", {
		body: { question: "Ship it?", options: ["yes", "no"], channel: { kind: "web", destination: username }, context: { order: 17 } } }));
	const answered = good(await ann.client.POST("/api/feedback-requests/{request_id}/respond", {
		params: { path: { request_id: asked.id } }, body: { answer: "yes" } }));
	assert.equal(answered.status, "answered");
	const late = await ann.client.POST("/api/feedback-requests/{request_id}/respond", {
		params: { path: { request_id: asked.id } }, body: { answer: "no" } });
	assert.equal(late.error?.code, "conflict");
}

const { ann, user } = await accounts();
console.log("login");
const message = await rooms(ann);
console.log("rooms");
await chat();
console.log("chat, sessions");
await figures(ann);
console.log("figures");
await dashboards(ann);
console.log("dashboards");
await feedback(ann, message, user.username);
console.log("feedback");
const out = await ann.client.POST("/api/auth/logout", { body: { scope: "local" } });
assert.equal(out.response.status, 204);
const gone = await ann.client.GET("/api/auth/me");
assert.equal(gone.error?.code, "revoked");
console.log("done");
