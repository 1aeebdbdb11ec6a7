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

const fold = (text) => [...text].map((c) => c.toLowerCase()).join("");

/** The part of `text` (what follows an "@", in form C) that is the longest of the names and stands by itself; "" if there is none. */
export function nameIn(text, names) {
	let found = "";
	for (const given of names) {
		const name = given.normalize("NFC");
		const part = [...text].slice(0, [...name].length).join("");
		if (name && fold(part) === fold(name) && part.length > found.length && FREE.test(text.slice(part.length)))
			found = part;
	}
	return found;
}
