// SPDX-License-Identifier: ISC
/*
 * A small part of Markdown as DOM nodes: code, emphasis, links, lists, quotes, headings. No HTML is ever parsed; what is
 * not understood stays text.
 */
import { el } from "./dom.js";

const INLINE = new RegExp([
	"(?<!`)(`+)(?!`)(?<code>[^`]|[^`][\\s\\S]*?[^`])\\1(?!`)",
	"\\*\\*(?<strong>[^\\s*](?:[^*]*[^\\s*])?)\\*\\*",
	"(?<![\\w*])\\*(?<em>[^\\s*](?:[^*\\n]*[^\\s*])?)\\*(?![\\w*])",
	"\\[(?<label>[^\\]\\n]{1,300})\\]\\((?<href>https?://[^\\s)]{1,2000})\\)",
	"(?<url>https?://[^\\s<>\"]{1,2000}[^\\s<>\"'.,;:!?)\\]])",
	"(?<![\\w.@-])@(?<mention>[A-Za-z0-9_.-]*[A-Za-z0-9_])",
].join("|"), "gu");

function link(href, label) {
	return el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, label);
}

/** Nodes of one run of text. isName(name) tells which @names are marked. */
function inline(text, isName) {
	const nodes = [];
	let end = 0;
	for (const match of text.matchAll(INLINE)) {
		const g = match.groups;
		let node;
		if (g.code !== undefined)
			node = el("code", {}, g.code);
		else if (g.strong !== undefined)
			node = el("strong", {}, ...inline(g.strong, isName));
		else if (g.em !== undefined)
			node = el("em", {}, ...inline(g.em, isName));
		else if (g.href !== undefined)
			node = link(g.href, g.label);
		else if (g.url !== undefined)
			node = link(g.url, g.url);
		else if (isName(g.mention))
			node = el("span", { class: "mention" }, "@" + g.mention);
		else
			continue;
		nodes.push(text.slice(end, match.index), node);
		end = match.index + match[0].length;
	}
	nodes.push(text.slice(end));
	return nodes;
}

const BULLET = /^\s{0,3}[-*+]\s+(.*)$/;
const NUMBER = /^\s{0,3}(\d{1,9})[.)]\s+(.*)$/;
const QUOTE = /^\s{0,3}>\s?(.*)$/;
const HEADING = /^(#{1,4})\s+(.+)$/;
const FENCE = /^\s{0,3}(`{3,}|~{3,})\s*([\w+-]*)[^`]*$/;

const BLOCKS = [BULLET, NUMBER, QUOTE, HEADING, FENCE];

/* Takes the lines that match from the front; what `pick` makes of each. */
function take(lines, pattern, pick) {
	const taken = [];
	while (lines.length && pattern.test(lines[0]))
		taken.push(pick(pattern.exec(lines.shift())));
	return taken;
}

function fence(lines) {
	const [, mark, language] = FENCE.exec(lines.shift());
	const code = [];
	while (lines.length && !lines[0].trim().startsWith(mark))
		code.push(lines.shift());
	lines.shift();
	return el("pre", language ? { "data-language": language } : {}, el("code", {}, code.join("\n")));
}

function block(lines, isName) {
	const first = lines[0];
	if (FENCE.test(first))
		return fence(lines);
	if (BULLET.test(first))
		return el("ul", {}, ...take(lines, BULLET, (m) => el("li", {}, ...inline(m[1], isName))));
	if (NUMBER.test(first)) {
		const start = NUMBER.exec(first)[1];
		return el("ol", { start }, ...take(lines, NUMBER, (m) => el("li", {}, ...inline(m[2], isName))));
	}
	if (QUOTE.test(first))
		return el("blockquote", {}, ...inline(take(lines, QUOTE, (m) => m[1]).join("\n"), isName));
	if (HEADING.test(first))
		return el("p", { class: "heading" }, ...inline(HEADING.exec(lines.shift())[2], isName));
	const text = [];
	while (lines.length && lines[0].trim() !== "" && !(text.length && BLOCKS.some((pattern) => pattern.test(lines[0]))))
		text.push(lines.shift());
	return el("p", {}, ...inline(text.join("\n"), isName));
}

/** Nodes for a whole message. */
export function markdown(text, isName = () => false) {
	const lines = text.replaceAll("\r\n", "\n").split("\n"), nodes = [];
	while (lines.length) {
		if (lines[0].trim() === "")
			lines.shift();
		else
			nodes.push(block(lines, isName));
	}
	return nodes;
}
