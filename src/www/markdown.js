// SPDX-License-Identifier: ISC
/*
 * A small part of Markdown as DOM nodes: code, emphasis, links, lists, quotes, headings. HTML is never parsed; anything
 * unknown stays text.
 */
import { el } from "./dom.js";
import { AT, nameIn, nameIndex } from "./mention.js";

/* RFC 3986's characters, and words of any script. */
const URL_CHAR = "(?:[^\\0-\\x20\\x7f<>\"`\\u0080-\\u{10ffff}]|[\\p{L}\\p{M}\\p{N}])";

const INLINE = new RegExp([
	"(?<!`)(`+)(?!`)(?<code>[^`]|[^`][\\s\\S]*?[^`])\\1(?!`)",
	"\\*\\*(?<strong>[^\\s*](?:[^*]*[^\\s*])?)\\*\\*",
	"(?<![\\w*])\\*(?<em>[^\\s*](?:[^*\\n]*[^\\s*])?)\\*(?![\\w*])",
	"\\[(?<label>[^\\]\\n]{1,300})\\]\\((?<href>https?://[^\\s)]{1,2000})\\)",
	`(?<url>[A-Za-z][A-Za-z0-9+.-]{0,31}://${URL_CHAR}*)`,	/* bounded: a long word is not a scheme */
	`(?<at>${AT})`,
].join("|"), "gu");

const LINKED = /^https?:\/\//i, LINKED_MAX = 2000, ENDS_SENTENCE = "'.,;:!?)]";

/* The part of a URL in the text that is linked, without the punctuation that ends a sentence; "": none. */
function linked(url) {
	const start = LINKED.exec(url)?.[0].length;
	let end = url.length;
	while (end > start && ENDS_SENTENCE.includes(url[end - 1]))
		end--;
	return end - start <= LINKED_MAX ? url.slice(0, end) : "";
}

function link(href, label) {
	return el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, label);
}

/* The node for a match and the length of its source; null: the text stays unchanged. */
function nodeOf(match, text, names, inLink) {
	const g = match.groups, whole = match[0].length;
	if (g.code !== undefined)
		return [el("code", {}, g.code), whole];
	if (g.strong !== undefined)
		return [el("strong", {}, inline(g.strong, names, inLink)), whole];
	if (g.em !== undefined)
		return [el("em", {}, inline(g.em, names, inLink)), whole];
	if (g.href !== undefined)
		return inLink ? null : [link(g.href, inline(g.label, names, true)), whole];
	if (g.url !== undefined) {
		const url = inLink ? "" : linked(g.url);
		return url ? [link(url, url), url.length] : null;
	}
	const name = nameIn(text, match.index + whole, names);
	return name ? [el("span", { class: "mention" }, match[0] + name), whole + name.length] : null;
}

/** Nodes for one run of text. names: from nameIndex(), the names that are marked after an "@". */
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

/*
 * The lines are a stack with the next line on top. Takes the lines that match, and returns what `pick` makes of each.
 */
function take(lines, pattern, pick) {
	const taken = [];
	while (lines.length && pattern.test(lines.at(-1)))
		taken.push(pick(pattern.exec(lines.pop())));
	return taken;
}

function code(lines, language) {
	return el("pre", language ? { "data-language": language } : {}, el("code", {}, lines.join("\n")));
}

/* Takes lines up to the one that closes the block, or to the end. */
function fence(lines) {
	const [, mark, language] = FENCE.exec(lines.pop());
	const close = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}\\s*$`);
	const taken = [];
	while (lines.length && !close.test(lines.at(-1)))
		taken.push(lines.pop());
	lines.pop();
	return code(taken, language);
}

/* Takes indented lines, and blank lines between them. */
function indented(lines) {
	const taken = [];
	while (lines.length && (INDENTED.test(lines.at(-1)) || BLANK.test(lines.at(-1))))
		taken.push(lines.pop().replace(INDENTED, ""));
	while (BLANK.test(taken.at(-1)))
		taken.pop();
	return code(taken);
}

function block(lines, names) {
	const first = lines.at(-1);
	if (FENCE.test(first))
		return fence(lines);
	if (BULLET.test(first))
		return el("ul", {}, take(lines, BULLET, (m) => el("li", {}, inline(m[1], names))));
	if (NUMBER.test(first)) {
		const start = NUMBER.exec(first)[1];
		return el("ol", { start }, take(lines, NUMBER, (m) => el("li", {}, inline(m[2], names))));
	}
	if (QUOTE.test(first))
		return el("blockquote", {}, inline(take(lines, QUOTE, (m) => m[1]).join("\n"), names));
	if (HEADING.test(first))
		return el("p", { class: "heading" }, inline(HEADING.exec(lines.pop())[2], names));
	const text = [];
	while (lines.length && !BLANK.test(lines.at(-1)) && !(text.length && BLOCKS.some((pattern) => pattern.test(lines.at(-1)))))
		text.push(lines.pop());
	return el("p", {}, inline(text.join("\n"), names));
}

/** Nodes for a whole message. names: who can be mentioned. */
export function markdown(text, names = []) {
	const index = nameIndex(names);
	const lines = text.normalize("NFC").replaceAll("\r\n", "\n").split("\n").reverse(), nodes = [];
	let inList = false;		/* there, indented lines belong to an item */
	while (lines.length) {
		if (BLANK.test(lines.at(-1))) {
			lines.pop();
		} else if (INDENTED.test(lines.at(-1))) {
			nodes.push(inList ? block(lines, index) : indented(lines));
		} else {
			inList = BULLET.test(lines.at(-1)) || NUMBER.test(lines.at(-1));
			nodes.push(block(lines, index));
		}
	}
	return nodes;
}
