// SPDX-License-Identifier: ISC
/*
 * The chat page. The door (register, sign in) comes first, then rooms on the left, the open room in the middle, and
 * people on the right. The address contains the open room: #/room/7.
 */
import { wireAccount } from "./account.js";
import { enter, events, forget, leave, session } from "./api.js";
import { $, attempt, paintAvatar } from "./dom.js";
import { wireEmail } from "./email.js";
import { Factor, proofOf } from "./factor.js";
import { wirePages } from "./forms.js";
import { Inbox } from "./inbox.js";
import { wireInvites } from "./invites.js";
import { wireKeys } from "./keys.js";
import { paintProviders, returned, sayReturned, wireLinks } from "./oidc.js";
import { Roles } from "./roles.js";
import { RoomView } from "./room.js";
import { Rooms } from "./rooms.js";
import { openSocket } from "./socket.js";

let view = null, rooms = null, roles = null, socket = null;

/* ---- the door ---- */

let registering = false;
let ticket = ""; /* of a login that also needs a code */

/* Shows the second step of a login, or the first one again. */
function askCode(newTicket) {
	ticket = newTicket;
	for (const node of $("door-form").querySelectorAll("label, .tabs"))
		node.hidden = node.closest("#door-second") === null && ticket !== "";
	$("door-second").hidden = ticket === "";
	$("door-code").required = ticket !== "";
	/*
	 * after signing in through a provider both fields are empty, and a hidden required field would block the form
	 */
	for (const id of ["door-name", "door-password"])
		$(id).required = ticket === "";
	$("door-oidc").hidden = ticket !== "";
	$("door-code").value = "";
	if (ticket === "")
		chooseDoor(false);
	else
		$("door-code").focus();
}

function chooseDoor(toRegister) {
	registering = toRegister;
	$("door-login").setAttribute("aria-pressed", String(!toRegister));
	$("door-register").setAttribute("aria-pressed", String(toRegister));
	for (const node of document.querySelectorAll(".register-only"))
		node.hidden = !toRegister;
	for (const node of document.querySelectorAll(".login-only"))
		node.hidden = toRegister;
	$("door-email").required = toRegister;
	$("door-password").autocomplete = toRegister ? "new-password" : "current-password";
	$("door-go").textContent = toRegister ? "Register" : "Sign in";
	$("door-error").textContent = "";
	$("door-mailed").textContent = "";
}

/** A setting determines who may register. If nobody may, a sentence replaces the button. */
async function paintRegistration() {
	const about = { invite: "Registration needs an invite link. Ask somebody who has an account here.",
		closed: "Registration is closed. Ask the operator of this server for an account." };
	try {
		const { registration } = await (await fetch("/", { headers: { Accept: "application/json" }, cache: "no-store" })).json();
		if (registration in about) {
			$("door-register").hidden = true;
			$("door-closed").textContent = about[registration];
			$("door-closed").hidden = false;
			if (registering)
				chooseDoor(false);
		}
	} catch {
		/* the server reports it when somebody registers */
	}
}

function showDoor(text = "") {
	$("chat").hidden = true;
	$("door").hidden = false;
	chooseDoor(false);
	paintRegistration();
	paintProviders(() => $("door-keep").checked);
	$("door-error").textContent = text;
	$("door-name").focus();
	document.title = "Parlour";
}

async function goIn(event) {
	event.preventDefault();
	const credentials = { username: $("door-name").value.trim(), password: $("door-password").value };
	$("door-go").disabled = true;
	await attempt(() => goOn(credentials), $("door-error"));
	$("door-go").disabled = false;
}

/** Handles the return from an identity provider. */
async function goInFrom({ body, keep, error }) {
	showDoor(error);
	if (!body)
		return;
	$("door-keep").checked = keep;
	await attempt(() => goOn({}, body), $("door-error"));
}

/* oidc: the code from an identity provider instead of credentials. */
async function goOn(credentials, oidc = null) {
	try {
		if (oidc)
			await enter("/api/auth/oidc/token", oidc, $("door-keep").checked);
		else if (registering)
			await enter("/api/auth/register", { ...credentials, email: $("door-email").value.trim() },
				$("door-keep").checked);
		else if (ticket !== "")
			await enter("/api/auth/mfa", { mfa_ticket: ticket, ...proofOf($("door-code").value) }, $("door-keep").checked);
		else
			await enter("/api/auth/login", credentials, $("door-keep").checked);
		$("door-password").value = "";
		location.reload(); /* a new page, so that no data of another user remains */
	} catch (why) {
		if (why.code === "mfa_required") {
			askCode(why.ticket);
			return;
		}
		if (why.code === "mailed") {
			chooseDoor(false);
			$("door-mailed").textContent = why.sentence;
			return;
		}
		if (ticket !== "" && why.code === "unauthorized")
			askCode(""); /* the ticket has expired */
		throw why;
	}
}

/* ---- connection ---- */

let counting = 0;

function showLink({ state, at }) {
	clearInterval(counting);
	const node = $("link");
	node.dataset.state = state;
	const paint = () => {
		const seconds = Math.max(0, Math.ceil((at - Date.now()) / 1000));
		$("link-text").textContent = { live: "Live", connecting: "Connecting…", closed: "Closed",
			waiting: seconds > 1 ? `Offline, retry in ${seconds} s` : "Offline" }[state];
	};
	paint();
	if (state === "waiting")
		counting = setInterval(paint, 1000);
}

/* ---- panes of a narrow screen ---- */

function showPane(id) {
	for (const [pane, toggle] of [["rooms-pane", "rooms-toggle"], ["people-pane", "people-toggle"]]) {
		const open = pane === id && !$(pane).classList.contains("open");
		$(pane).classList.toggle("open", open);
		$(toggle).setAttribute("aria-expanded", String(open));
		if (open)
			$(pane).querySelector("button, a")?.focus();
	}
	$("shade").hidden = !document.querySelector(".pane.open");
}

/* ---- the chat ---- */

function route() {
	const id = Number(/^#\/room\/(\d+)$/.exec(location.hash)?.[1] ?? 0);
	showPane(null);
	rooms.choose(id);
	if (id)
		view.open(id);
	else
		view.close();
}

let unseen = 0;

function paintTitle() {
	document.title = `${unseen ? `(${unseen}) ` : ""}${view.room ? view.room.name + " · " : ""}Parlour`;
}

async function startChat({ user }) {
	$("door").hidden = true;
	$("chat").hidden = false;
	paintAvatar($("me-avatar"), user.username);
	$("me-name").textContent = user.username;
	$("me-number").textContent = `user ${user.id}`;
	socket = openSocket(showLink);
	rooms = new Rooms({ me: user, listRoles: () => roles.list(), onopen: (id) => {
		location.hash = `#/room/${id}`;
	} });
	view = new RoomView({ me: user, socket, onseen: (room, seq) => rooms.seen(room, seq),
		lastRead: (id) => rooms.rooms.get(id),
		onchanged: (room) => rooms.changed(room),
		onleft: () => {
			location.hash = "#/";
			rooms.load().catch(() => {});
		},
		onunseen: () => {
			unseen++;
			paintTitle();
		} });
	new Factor();
	wireEmail();
	wireLinks();
	wirePages();
	wireAccount();
	wireKeys();
	wireInvites();
	roles = new Roles({ me: user, room: () => view.room, onchanged: async () => view.room && view.refreshRoom(),
		mayChange: () => view.room !== null && view.people.mayChange });
	new Inbox({ socket, onframe: (frame) => rooms.frame(frame), onopen: (id) => {
		location.hash = `#/room/${id}`;
	} });
	addEventListener("hashchange", route);
	document.addEventListener("visibilitychange", () => {
		unseen = 0;
		paintTitle();
	});
	new MutationObserver(paintTitle).observe($("room-title"), { childList: true });
	await attempt(() => rooms.load());
	if (!location.hash.startsWith("#/room/")) {
		const home = rooms.sorted().find((room) => room.name === "lobby") ?? rooms.sorted()[0];
		if (home)
			history.replaceState(null, "", `#/room/${home.id}`);
	}
	route();
}

$("door-form").addEventListener("submit", goIn);
$("door-login").addEventListener("click", () => chooseDoor(false));
$("door-back").addEventListener("click", () => askCode(""));
$("door-register").addEventListener("click", () => chooseDoor(true));
$("rooms-toggle").addEventListener("click", () => showPane("rooms-pane"));
$("people-toggle").addEventListener("click", () => showPane("people-pane"));
$("link").addEventListener("click", () => socket.hurry());
$("shade").addEventListener("click", () => showPane(null));
$("log-out").addEventListener("click", async () => {
	socket.stop(); /* before the server ends it */
	await leave();
	history.replaceState(null, "", location.pathname);
	location.reload();
});
addEventListener("keydown", (event) => {
	if (event.key === "Escape" && !$("shade").hidden)
		showPane(null);
});
events.addEventListener("ended", ({ detail }) => {
	rooms?.stop();
	if (detail)
		sessionStorage.setItem("parlour.why", detail);
	location.reload();
});

const now = session(), back = returned();
if (now?.enrol) {
	$("factor-leave").hidden = false;
	$("factor-leave").addEventListener("click", async () => {
		await leave();
		location.reload();
	});
	new Factor({ must: true }).dialog();
} else if (now?.user) {
	if (back)
		sayReturned(back);
	startChat(now);
} else if (back) {
	forget();
	goInFrom(back);
} else {
	forget();
	showDoor(sessionStorage.getItem("parlour.why") ?? "");
	sessionStorage.removeItem("parlour.why");
}
