// SPDX-License-Identifier: ISC
/*
 * What is a mention: the same rules as the server's (src/svc/room/mention.c), tested with the same cases,
 * tests/mentions.json. Code and URLs are recognized by markdown.js.
 */

/* Scripts that are written without blanks between words; the last two are the marks of long vowels in kana. */
const UNSPACED = "[" + ["Han", "Hiragana", "Katakana", "Bopomofo", "Hangul", "Thai", "Lao", "Khmer", "Myanmar"]
	.map((script) => `\\p{Script=${script}}`).join("") + "\\u30fc\\uff70]";
const WORD = `(?!${UNSPACED})[\\p{L}\\p{M}\\p{N}_]`;

/** An "@" that can begin a mention, as the source of a regular expression with flag u. */
export const AT = `(?<!${WORD}|[=.-]|[^ \\n\\t]\\/)[@＠]`;

/* Behind a name. Dots and dashes end a sentence, unless a word follows them. */
const FREE = new RegExp(`^(?![.-]*${WORD})(?![.-]*[@/]${WORD})(?![.-]*:[A-Za-z0-9-]+\\.[A-Za-z0-9-])`, "u");

const fold = (c) => c.toLowerCase();

/** The names that can be mentioned, made ready for nameIn(): { folded, lengths, starts, longest }, lengths in characters. */
export function nameIndex(names) {
	const index = { folded: new Set(), lengths: new Set(), starts: new Set(), longest: 0 };
	for (const name of names) {
		const chars = [...name.normalize("NFC")];
		if (!chars.length)
			continue;
		index.folded.add(`${chars.length} ${chars.map(fold).join("")}`);
		index.lengths.add(chars.length);
		index.starts.add(fold(chars[0]));
		index.longest = Math.max(index.longest, chars.length);
	}
	return index;
}

/**
 * The part of `text` from `at` (behind an "@"; text in form C) that is the longest of the names and stands by itself; ""
 * if there is none. Looks at as many characters as the longest name has, whatever the number of names.
 */
export function nameIn(text, at, index) {
	if (at >= text.length || !index.starts.has(fold(String.fromCodePoint(text.codePointAt(at)))))
		return "";
	let folded = "", part = "", found = "", count = 0;
	for (const c of text.slice(at, at + 2 * index.longest)) {
		folded += fold(c);
		part += c;
		count++;
		if (index.lengths.has(count) && index.folded.has(`${count} ${folded}`) && FREE.test(text.slice(at + part.length)))
			found = part;
	}
	return found;
}
