// SPDX-License-Identifier: ISC
/*
 * Requests with the tokens of the login session.
 *
 * The session {access, refresh, user} is in sessionStorage (this tab), or in localStorage (all tabs, "keep me signed
 * in"). After a 401 the tokens are refreshed once, by one request at a time, also among tabs. If that is refused, the
 * session has ended, and `events` sends "ended".
 */
import { uuid } from "./dom.js";

const KEY = "parlour.session";

export const events = new EventTarget();

/**
 * A failed request: `sentence` for people, `code` and `status` for programs. status 0: there was no reply. ticket: for
 * the second step of a login.
 */
export class Failure extends Error {
	constructor(sentence, { status = 0, code = "", temporary = false, retryAfter = 0, ticket = "" } = {}) {
		super(sentence);
		Object.assign(this, { sentence, status, code, temporary, retryAfter, ticket });
	}
}

/* ---- the session ---- */

function place() {
	return localStorage.getItem(KEY) !== null ? localStorage : sessionStorage;
}

export function session() {
	try {
		return JSON.parse(place().getItem(KEY));
	} catch {
		return null;
	}
}

function keepTokens(tokens, storage) {
	const now = { access: tokens.access_token, refresh: tokens.refresh_token, user: tokens.user,
		enrol: Boolean(tokens.mfa_enrolment_required) };
	storage.setItem(KEY, JSON.stringify(now));
	return now;
}

export function forget() {
	localStorage.removeItem(KEY);
	sessionStorage.removeItem(KEY);
}

/** Ends the session: `text` is the reason for the sign-in page. */
let lastWords = "";

/** Sets what the page says when the session ends from now on; "": the reason. */
export function sayAtEnd(text) {
	lastWords = text;
}

export function endSession(text = "") {
	if (session() === null && text === "")
		return;
	forget();
	events.dispatchEvent(new CustomEvent("ended", { detail: lastWords || text }));
}

addEventListener("storage", (event) => {
	if (event.key === KEY && event.newValue === null && sessionStorage.getItem(KEY) === null)
		events.dispatchEvent(new CustomEvent("ended", { detail: "" }));
});

/*
 * A duplicated tab has its own copy of the same refresh token. A tab that refreshes informs the others; otherwise the
 * server would take the second use of the old token for theft and end the session.
 */
const others = new BroadcastChannel(KEY);

others.addEventListener("message", ({ data }) => {
	if (session()?.refresh === data.old)
		place().setItem(KEY, JSON.stringify(data.now));
});

/* ---- errors as sentences ---- */

function fieldSentence({ loc, msg }) {
	const name = String(loc?.length > 1 ? loc[loc.length - 1] : "The request").replaceAll("_", " ");
	const text = `${name.charAt(0).toUpperCase()}${name.slice(1)} ${msg ?? "is invalid"}`;
	return /[.!?]$/.test(text) ? text : text + ".";
}

function sentenceOf(status, body, retryAfter) {
	if (Array.isArray(body?.detail) && body.detail.length)
		return body.detail.map(fieldSentence).join(" ");
	if (status === 429)
		return `Too many requests. Try again in ${retryAfter || 1} s.`;
	if (typeof body?.detail === "string" && body.detail !== "")
		return body.detail;
	return status >= 500 ? "The server reported an error. Try again." : "The server refused this request.";
}

export async function failureOf(response) {
	const retryAfter = Number(response.headers.get("Retry-After")) || 0;
	let body = null;
	try {
		body = await response.json();
	} catch {
		/* a page of a proxy, or an empty body */
	}
	return new Failure(sentenceOf(response.status, body, retryAfter), { status: response.status,
		code: body?.code ?? "", ticket: body?.mfa_ticket ?? "",
		temporary: Boolean(body?.temporary), retryAfter });
}

/* ---- requests ---- */

async function ask(method, path, body, headers) {
	const init = { method, headers: { Accept: "application/json", ...headers }, cache: "no-store" };
	if (body !== undefined) {
		init.headers["Content-Type"] = "application/json";
		init.body = JSON.stringify(body);
	}
	try {
		return await fetch(path, init);
	} catch {
		throw new Failure("The server cannot be reached.", { temporary: true });
	}
}

async function jsonOf(response) {
	if (!response.ok)
		throw await failureOf(response);
	return response.status === 204 ? null : response.json();
}

async function refreshNow(used) {
	const now = session();
	if (now === null)
		throw new Failure("You are signed out.", { status: 401 });
	if (used !== undefined && now.access !== used)
		return now; /* another tab was faster */
	const storage = place();
	const response = await ask("POST", "/api/auth/refresh", { refresh_token: now.refresh });
	if (response.ok) {
		const renewed = keepTokens(await response.json(), storage);
		others.postMessage({ old: now.refresh, now: renewed });
		if (renewed.enrol && !now.enrol)
			location.reload(); /* handled by the page that asks for a second factor */
		return renewed;
	}
	const why = await failureOf(response);
	if (why.status === 401 || why.status === 403 || why.status === 422) {
		endSession("Your login session has ended. Sign in again.");
		why.status = 401;
	}
	throw why;
}

let refreshing = null;

/** Gets new tokens. `used`: the access token that was refused; if it is no longer the newest, no request is needed. */
export function refresh(used) {
	const run = () => refreshNow(used);
	refreshing ??= (navigator.locks ? navigator.locks.request(KEY, run) : run()).finally(() => {
		refreshing = null;
	});
	return refreshing;
}

/* Sends one request as the user; with `once`, a repetition never creates a second object. more: other headers. */
async function askAsUser(method, path, body, once, more = {}) {
	let now = session();
	if (now === null)
		throw new Failure("You are signed out.", { status: 401 });
	const headers = once ? { ...more, "Idempotency-Key": uuid() } : more;
	let response = await ask(method, path, body, { ...headers, Authorization: "Bearer " + now.access });
	if (response.status === 401) {
		now = await refresh(now.access);
		response = await ask(method, path, body, { ...headers, Authorization: "Bearer " + now.access });
		if (response.status === 401)
			endSession("Your login session has ended. Sign in again.");
	}
	return response;
}

/**
 * Sends one request as the user; returns the JSON of the reply, or throws a Failure. With `once`, a repetition never
 * creates a second object. headers: other headers.
 */
export async function call(method, path, body, { once = false, headers = {} } = {}) {
	return jsonOf(await askAsUser(method, path, body, once, headers));
}

/** Reads a page of a list. more: there is another page; a page that is shorter than its limit need not be the last. */
export async function callPage(path) {
	const response = await askAsUser("GET", path, undefined, false);
	return { items: await jsonOf(response), more: response.headers.has("Link") };
}

/** Reads all pages of a list that continues with `after`. */
export async function callAll(path, key, limit, most = 1000) {
	const items = [];
	for (;;) {
		const after = items.length ? `&after=${items[items.length - 1][key]}` : "";
		const page = await callPage(`${path}?limit=${limit}${after}`);
		items.push(...page.items);
		if (!page.more || items.length >= most)
			return items;
	}
}

/* ---- sign in, sign out ---- */

export async function enter(path, body, keep) {
	const tokens = await jsonOf(await ask("POST", path, body));
	if (!tokens.access_token)
		throw new Failure(tokens.message, { code: "mailed" }); /* the address must be verified first */
	forget();
	return { ...keepTokens(tokens, keep ? localStorage : sessionStorage), room: tokens.room_id };
}

export async function leave() {
	try {
		await call("POST", "/api/auth/logout", {});
	} catch {
		/* this page forgets the tokens in any case */
	}
	forget();
}
