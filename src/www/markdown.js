// SPDX-License-Identifier: ISC
/*
 * A small part of Markdown as DOM nodes: code, emphasis, links, lists, quotes, headings. No HTML is ever parsed; what is
 * not understood stays text.
 */
import { el } from "./dom.js";
import { AT, nameIn } from "./mention.js";

/* RFC 3986's characters, and words of any script. */
const URL_CHAR = "(?:[^\\0-\\x20\\x7f<>\"`\\u0080-\\u{10ffff}]|[\\p{L}\\p{M}\\p{N}])";

const INLINE = new RegExp([
	"(?<!`)(`+)(?!`)(?<code>[^`]|[^`][\\s\\S]*?[^`])\\1(?!`)",
	"\\*\\*(?<strong>[^\\s*](?:[^*]*[^\\s*])?)\\*\\*",
	"(?<![\\w*])\\*(?<em>[^\\s*](?:[^*\\n]*[^\\s*])?)\\*(?![\\w*])",
	"\\[(?<label>[^\\]\\n]{1,300})\\]\\((?<href>https?://[^\\s)]{1,2000})\\)",
	`(?<url>[A-Za-z][A-Za-z0-9+.-]*://${URL_CHAR}*)`,
	`(?<at>${AT})`,
].join("|"), "gu");

/* What is linked of a URL in the text: the marks that end a sentence are not. */
const LINKED = /^https?:\/\/.{0,2000}?(?=['.,;:!?)\]]*$)/iu;

function link(href, ...label) {
	return el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...label);
}

/* Node of a match and the length of what it stands for; null: the text stays as it is. */
function nodeOf(match, text, names, inLink) {
	const g = match.groups, whole = match[0].length;
	if (g.code !== undefined)
		return [el("code", {}, g.code), whole];
	if (g.strong !== undefined)
		return [el("strong", {}, ...inline(g.strong, names, inLink)), whole];
	if (g.em !== undefined)
		return [el("em", {}, ...inline(g.em, names, inLink)), whole];
	if (g.href !== undefined)
		return inLink ? null : [link(g.href, ...inline(g.label, names, true)), whole];
	if (g.url !== undefined) {
		const url = inLink ? null : LINKED.exec(g.url);
		return url ? [link(url[0], url[0]), url[0].length] : null;
	}
	const behind = match.index + whole, name = nameIn(text.slice(behind), names);
	return name ? [el("span", { class: "mention" }, match[0] + name), whole + name.length] : null;
}

/** Nodes of one run of text. names: what is marked behind an "@". */
function inline(text, names, inLink = false) {
	const nodes = [];
	let end = 0;
	for (const match of text.matchAll(INLINE)) {
		const made = match.index < end ? null : nodeOf(match, text, names, inLink);
		if (made) {
			nodes.push(text.slice(end, match.index), made[0]);
			end = match.index + made[1];
		}
	}
	nodes.push(text.slice(end));
	return nodes;
}

const BULLET = /^\s{0,3}[-*+]\s+(.*)$/;
const NUMBER = /^\s{0,3}(\d{1,9})[.)]\s+(.*)$/;
const QUOTE = /^\s{0,3}>\s?(.*)$/;
const HEADING = /^(#{1,4})\s+(.+)$/;
const FENCE = /^\s{0,3}(`{3,}(?![^\n]*`)|~{3,})\s*([\w+-]*).*$/;
const INDENTED = /^(?: {4}| {0,3}\t)/;
const BLANK = /^[ \t]*$/;

const BLOCKS = [BULLET, NUMBER, QUOTE, HEADING, FENCE];

/* Takes the lines that match from the front; what `pick` makes of each. */
function take(lines, pattern, pick) {
	const taken = [];
	while (lines.length && pattern.test(lines[0]))
		taken.push(pick(pattern.exec(lines.shift())));
	return taken;
}

function code(lines, language) {
	return el("pre", language ? { "data-language": language } : {}, el("code", {}, lines.join("\n")));
}

/* To the line that closes it, or to the end. */
function fence(lines) {
	const [, mark, language] = FENCE.exec(lines.shift());
	const close = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}\\s*$`);
	const taken = [];
	while (lines.length && !close.test(lines[0]))
		taken.push(lines.shift());
	lines.shift();
	return code(taken, language);
}

/* Indented lines, and blank ones between them. */
function indented(lines) {
	const taken = [];
	while (lines.length && (INDENTED.test(lines[0]) || BLANK.test(lines[0])))
		taken.push(lines.shift().replace(INDENTED, ""));
	while (BLANK.test(taken.at(-1)))
		taken.pop();
	return code(taken);
}

function block(lines, names) {
	const first = lines[0];
	if (FENCE.test(first))
		return fence(lines);
	if (BULLET.test(first))
		return el("ul", {}, ...take(lines, BULLET, (m) => el("li", {}, ...inline(m[1], names))));
	if (NUMBER.test(first)) {
		const start = NUMBER.exec(first)[1];
		return el("ol", { start }, ...take(lines, NUMBER, (m) => el("li", {}, ...inline(m[2], names))));
	}
	if (QUOTE.test(first))
		return el("blockquote", {}, ...inline(take(lines, QUOTE, (m) => m[1]).join("\n"), names));
	if (HEADING.test(first))
		return el("p", { class: "heading" }, ...inline(HEADING.exec(lines.shift())[2], names));
	const text = [];
	while (lines.length && !BLANK.test(lines[0]) && !(text.length && BLOCKS.some((pattern) => pattern.test(lines[0]))))
		text.push(lines.shift());
	return el("p", {}, ...inline(text.join("\n"), names));
}

/** Nodes for a whole message. names: who can be mentioned. */
export function markdown(text, names = []) {
	const lines = text.normalize("NFC").replaceAll("\r\n", "\n").split("\n"), nodes = [];
	let inList = false;		/* there, what is indented belongs to an item */
	while (lines.length) {
		if (BLANK.test(lines[0])) {
			lines.shift();
		} else if (INDENTED.test(lines[0])) {
			nodes.push(inList ? block(lines, names) : indented(lines));
		} else {
			inList = BULLET.test(lines[0]) || NUMBER.test(lines[0]);
			nodes.push(block(lines, names));
		}
	}
	return nodes;
}
