// SPDX-License-Identifier: ISC
/*
 * Creates elements, and the texts that depend on time and place. Texts of other users only become text nodes.
 */

export const $ = (id) => document.getElementById(id);

/** el("a", { href, class, on: { click } , ...attributes }, "text", node, null, [any number of nodes] ...) */
export function el(tag, attributes = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (name === "on")
			for (const [type, listener] of Object.entries(value))
				node.addEventListener(type, listener);
		else if (value === true)
			node.setAttribute(name, "");
		else if (value !== false && value !== null && value !== undefined)
			node.setAttribute(name, value);
	}
	for (const child of children.flat())	/* one by one: there may be more than a call takes arguments */
		if (child !== null && child !== undefined && child !== false)
			node.append(child);
	return node;
}

/** A number computed from a name, for colors that do not change. */
function hue(name) {
	let hash = 7;
	for (const c of name)
		hash = (hash * 31 + c.codePointAt(0)) % 1000003;
	return hash * 137 % 360;
}

export function paintAvatar(node, name, isRole) {
	node.textContent = isRole ? "✦" : ([...name][0] ?? "?").toUpperCase();
	node.classList.toggle("role", Boolean(isRole));
	node.style.setProperty("--hue", String(hue(name)));
	return node;
}

export function avatar(name, isRole = false) {
	return paintAvatar(el("span", { class: "avatar", "aria-hidden": "true" }), name, isRole);
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export function timeNode(iso) {
	const date = new Date(iso);
	return el("time", { datetime: iso, title: full.format(date) }, clock.format(date));
}

export const dayOf = (iso) => new Date(iso).toDateString();

export function dayText(iso) {
	const date = new Date(iso), today = new Date();
	if (date.toDateString() === today.toDateString())
		return "Today";
	today.setDate(today.getDate() - 1);
	return date.toDateString() === today.toDateString() ? "Yesterday" : day.format(date);
}

/** A random id; crypto.randomUUID() is missing on pages without TLS. */
export function uuid() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	bytes[6] = (bytes[6] & 15) | 64;
	bytes[8] = (bytes[8] & 63) | 128;
	const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
	return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Shows a sentence in the corner for some seconds. */
export function notice(text, isError = false) {
	const node = el("div", { class: isError ? "notice bad" : "notice" }, text,
		el("button", { type: "button", class: "icon", "aria-label": "Close",
			on: { click: () => node.remove() } }, "×"));
	$("notices").append(node);
	setTimeout(() => node.remove(), isError ? 9000 : 5000);
}

/** Runs an action, and shows an error as its sentence, in `place` or as a notice. */
export async function attempt(action, place = null) {
	if (place)
		place.textContent = "";
	try {
		return await action();
	} catch (why) {
		if (!why.sentence)
			console.error(why);
		const text = why.sentence ?? "Something went wrong on this page. Load it again.";
		if (place)
			place.textContent = text;
		else
			notice(text, true);
		return undefined;
	}
}

/** Buttons with data-close close their dialog; so does a click outside it. */
export function wireDialog(dialog) {
	for (const button of dialog.querySelectorAll("[data-close]"))
		button.addEventListener("click", () => dialog.close());
	dialog.addEventListener("click", (event) => {
		if (event.target === dialog)
			dialog.close();
	});
}
