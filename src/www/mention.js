// SPDX-License-Identifier: ISC
/*
 * Finds mentions with the same rules as the server (src/svc/room/mention.c); both are tested with tests/mentions.json.
 * markdown.js recognizes code and URLs.
 */

/* Scripts without blanks between words; the last two characters are the marks of long vowels in kana. */
const UNSPACED = "[" + ["Han", "Hiragana", "Katakana", "Bopomofo", "Hangul", "Thai", "Lao", "Khmer", "Myanmar"]
	.map((script) => `\\p{Script=${script}}`).join("") + "\\u30fc\\uff70]";
const WORD = `(?!${UNSPACED})[\\p{L}\\p{M}\\p{N}_]`;

/** An "@" that can begin a mention, as the source of a regular expression with flag u. */
export const AT = `(?<!${WORD}|[=.-]|[^ \\n\\t]\\/)[@＠]`;

/* What may follow a name. Dots and dashes end a sentence, unless a word follows them. */
const FREE = new RegExp(`^(?![.-]*${WORD})(?![.-]*[@/]${WORD})(?![.-]*:[A-Za-z0-9-]+\\.[A-Za-z0-9-])`, "u");

const fold = (c) => c.toLowerCase();

/**
 * Prepares the names that can be mentioned for nameIn(): { folded, lengths, starts, longest }, lengths in characters.
 */
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
 * Returns the part of `text` from `at` (after an "@"; text in form C) that is the longest of the names and is not part
 * of a longer word; "" if there is none. Examines at most as many characters as the longest name has, whatever the
 * number of names.
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
