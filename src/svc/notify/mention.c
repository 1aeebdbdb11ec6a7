/* SPDX-License-Identifier: ISC */
/*
 * Mentions: "@name" in a message. The page has the same rules (src/www/mention.js and markdown.js), and both are tested
 * with tests/mentions.json:
 *
 * - Nothing in code counts: `spans`, fenced blocks (``` or ~~~; an unclosed one ends with the text), and indented
 *   blocks. Nothing in a URL counts.
 * - No word may touch it. A word consists of letters, marks, digits, and underscores of Unicode. Characters of scripts
 *   that are written without blanks (Han, kana, Hangul, Thai ...) may touch it.
 * - Names of other things do not count: @scope/package, @user@host, @user:host, /path/@user, ?query=@user.
 * - Upper and lower case are equal, and so are composed and decomposed characters.
 */
#include "svc/notify/mention.h"

#include "db/repo/name.h"
#include "leaf.h"
#include "text.h"

enum { TAB = 8, CODE_INDENT = 4, FENCE = 3, FULLWIDTH_AT = 0xff20, REST_BYTES = 256 };

enum line_kind { LINE_BLANK, LINE_TEXT, LINE_INDENTED, LINE_QUOTE, LINE_ITEM, LINE_HEADING, LINE_FENCE };
struct line { size_t text, end; enum line_kind kind; };	/* text: position after the indentation */

/* The text, and for each byte whether it is code or a part of a URL. */
struct scan { struct pl_str text; char *masked; };

static size_t run_of(struct pl_str text, size_t at, size_t end, char c)
{
	size_t n = 0;

	while (at + n < end && text.ptr[at + n] == c)
		n++;
	return n;
}

static void mask(struct scan *scan, size_t from, size_t to)
{
	memset(scan->masked + from, 1, to - from);
}

/* ---- lines and blocks ---- */

static bool blank_at(struct pl_str text, size_t at, size_t end)
{
	return at == end || text.ptr[at] == ' ' || text.ptr[at] == '\t';
}

static bool is_number(struct pl_str text, size_t at, size_t end)
{
	size_t n = 0;

	while (n < 9 && at + n < end && text.ptr[at + n] >= '0' && text.ptr[at + n] <= '9')
		n++;
	return n > 0 && at + n < end && (text.ptr[at + n] == '.' || text.ptr[at + n] == ')') &&
	    blank_at(text, at + n + 1, end);
}

/* Returns how the line begins after its indentation. */
static enum line_kind kind_of(struct pl_str text, size_t at, size_t end)
{
	char c = text.ptr[at];
	size_t n = run_of(text, at, end, c);

	if (c == '>')
		return LINE_QUOTE;
	if (c == '#')
		return n <= 4 && blank_at(text, at + n, end) ? LINE_HEADING : LINE_TEXT;
	/* backticks after the opening ones: a span of code within one line */
	if (n >= FENCE && (c == '~' || (c == '`' && memchr(text.ptr + at + n, '`', end - at - n) == NULL)))
		return LINE_FENCE;
	if (((c == '-' || c == '*' || c == '+') && blank_at(text, at + 1, end)) || is_number(text, at, end))
		return LINE_ITEM;
	return LINE_TEXT;
}

static struct line line_at(struct pl_str text, size_t at)
{
	const char *newline = memchr(text.ptr + at, '\n', text.len - at);
	struct line line = { .text = at, .end = newline != NULL ? (size_t)(newline - text.ptr) : text.len };
	size_t columns = 0, end = line.end;

	if (end > at && text.ptr[end - 1] == '\r')
		end--;
	for (; line.text < end && (text.ptr[line.text] == ' ' || text.ptr[line.text] == '\t'); line.text++)
		columns = text.ptr[line.text] == '\t' ? columns / TAB * TAB + TAB : columns + 1;
	if (line.text == end)
		line.kind = LINE_BLANK;
	else if (columns >= CODE_INDENT)
		line.kind = LINE_INDENTED;
	else
		line.kind = kind_of(text, line.text, end);
	return line;
}

static size_t line_next(struct pl_str text, struct line line)
{
	return line.end < text.len ? line.end + 1 : text.len;
}

/* Returns the position after the fenced block that the line opens; the end of the text if it is not closed. */
static size_t fence_end(struct pl_str text, struct line open)
{
	char c = text.ptr[open.text];
	size_t ticks = run_of(text, open.text, open.end, c);

	for (size_t at = line_next(text, open); at < text.len;) {
		struct line line = line_at(text, at);
		size_t n = run_of(text, line.text, line.end, c);

		at = line_next(text, line);
		if (line.kind != LINE_INDENTED && n >= ticks &&
		    pl_str_trim(pl_strn(text.ptr + line.text + n, line.end - line.text - n)).len == 0)
			return at;
	}
	return text.len;
}

/* ---- code and URLs in a paragraph ---- */

/* Returns the position after the span of code that begins at `at`; the end of its backticks if it is not closed. */
static size_t span_end(struct scan *scan, size_t at, size_t end)
{
	size_t ticks = run_of(scan->text, at, end, '`');

	for (size_t i = at + ticks; i < end; i++) {
		size_t n = run_of(scan->text, i, end, '`');

		if (n == ticks) {
			mask(scan, at, i + n);
			return i + n;
		}
		if (n > 0)
			i += n - 1;
	}
	return at + ticks;
}

/* Returns the bytes of the URL character at `at`: those of RFC 3986, and words of any script. */
static size_t url_char(struct pl_str text, size_t at)
{
	uint32_t c;
	size_t n = pl_text_char(text, at, &c);

	if (c >= 0x80)
		return pl_text_is_word(c) ? n : 0;
	return c > ' ' && c != 0x7f && strchr("<>\"`", (int)c) == NULL ? 1 : 0;
}

/* Returns the position after the URL whose "://" is at `at`; `at` if it is not a URL. */
static size_t url_end(struct scan *scan, size_t at, size_t end)
{
	if (at == 0 || !((scan->text.ptr[at - 1] | 0x20) >= 'a' && (scan->text.ptr[at - 1] | 0x20) <= 'z') ||
	    at + 3 > end || memcmp(scan->text.ptr + at, "://", 3) != 0)
		return at;
	for (size_t i = at, n; ; i += n) {
		n = i < end ? url_char(scan->text, i) : 0;
		if (n == 0) {
			mask(scan, at, i);
			return i;
		}
	}
}

static void mask_paragraph(struct scan *scan, size_t from, size_t end)
{
	for (size_t i = from; i < end; ) {
		size_t url = scan->text.ptr[i] == ':' ? url_end(scan, i, end) : i;

		i = scan->text.ptr[i] == '`' ? span_end(scan, i, end) : url > i ? url : i + 1;
	}
}

/* Returns the position after the paragraph, item, heading, or run of quoted lines that begins with this line. */
static size_t paragraph_end(struct pl_str text, struct line line)
{
	enum line_kind kind = line.kind;
	size_t at = line_next(text, line);

	while ((kind == LINE_TEXT || kind == LINE_QUOTE) && at < text.len) {
		line = line_at(text, at);
		if (line.kind != kind && !(kind == LINE_TEXT && line.kind == LINE_INDENTED))
			break;
		at = line_next(text, line);
	}
	return at;
}

static void mask_all(struct scan *scan)
{
	bool in_list = false;		/* in a list, indented text belongs to an item */

	for (size_t at = 0; at < scan->text.len;) {
		struct line line = line_at(scan->text, at);
		size_t next = line_next(scan->text, line);

		if (line.kind == LINE_FENCE) {
			next = fence_end(scan->text, line);
			mask(scan, at, next);
		} else if (line.kind == LINE_INDENTED && !in_list) {
			mask(scan, at, next);
		} else if (line.kind != LINE_BLANK) {
			next = paragraph_end(scan->text, line);
			mask_paragraph(scan, at, next);
		}
		if (line.kind != LINE_BLANK && line.kind != LINE_INDENTED)
			in_list = line.kind == LINE_ITEM;
		at = next;
	}
}

/* ---- characters next to a mention ---- */

/* May a mention touch this character? */
static bool touchable(uint32_t c)
{
	return !pl_text_is_word(c) || pl_text_is_unspaced(c);
}

static bool free_before(struct pl_str text, size_t at)
{
	uint32_t c, before;
	size_t n = pl_text_char_before(text, at, &c);

	if (n == 0)
		return true;
	if (c == '/')
		return pl_text_char_before(text, at - n, &before) == 0 || before == ' ' || before == '\t' ||
		    before == '\n';
	return touchable(c) && c != '=' && c != '.' && c != '-';
}

static bool is_host_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-';
}

/* Matches a host name: labels with dots between them. */
static bool is_host(struct pl_str text, size_t at)
{
	bool label = false;

	for (; at < text.len; at++) {
		char c = text.ptr[at];

		if (c == '.' && label && at + 1 < text.len && is_host_char(text.ptr[at + 1]))
			return true;
		if (!is_host_char(c))
			return false;
		label = true;
	}
	return false;
}

/* Dots and dashes after a name end a sentence, unless a word follows them. */
static bool free_behind(struct pl_str text, size_t at)
{
	uint32_t c = 0, next = 0;
	size_t n;

	while (at < text.len && (text.ptr[at] == '.' || text.ptr[at] == '-'))
		at++;
	if (at == text.len)
		return true;
	n = pl_text_char(text, at, &c);
	if (at + n < text.len)
		pl_text_char(text, at + n, &next);
	if (c == '@' || c == '/')
		return touchable(next);
	if (c == ':')
		return !is_host(text, at + 1);
	return touchable(c);
}

/* Returns the number of bytes of `name` in the text at `at` if it is a whole word there, else 0. */
static size_t says(struct pl_str text, size_t at, struct pl_str name)
{
	size_t end = at;

	for (size_t i = 0; i < name.len;) {
		uint32_t a, b;

		i += pl_text_char(name, i, &a);
		if (end >= text.len)
			return 0;
		end += pl_text_char(text, end, &b);
		if (pl_text_lower(a) != pl_text_lower(b))
			return 0;
	}
	return end > at && free_behind(text, end) ? end - at : 0;
}

static size_t says_role(struct pl_str text, size_t at, const struct role *role)
{
	size_t name = says(text, at, role->name), display = says(text, at, role->display);

	return name > display ? name : display;
}

static void mark_at(struct pl_str text, size_t at, const struct role *roles, int count, bool *marks)
{
	size_t longest = 0;

	for (int i = 0; i < count; i++) {
		size_t len = says_role(text, at, &roles[i]);

		longest = len > longest ? len : longest;
	}
	for (int i = 0; longest > 0 && i < count; i++)
		marks[i] = marks[i] || says_role(text, at, &roles[i]) == longest;
}

bool mention_possible(struct pl_str text)
{
	if (text.len == 0)
		return false;
	return memchr(text.ptr, '@', text.len) != NULL || memmem(text.ptr, text.len, "\xef\xbc\xa0", 3) != NULL;
}

/* fn(): a place behind an @ that may begin a name. */
typedef void (place_fn)(void *arg, struct pl_str text, size_t at);

static void each_place(struct pl_pool *pool, struct pl_str content, place_fn *fn, void *arg)
{
	struct scan scan;
	uint32_t c;

	if (!mention_possible(content))
		return;
	scan.text = pl_text_nfc(pool, content);
	scan.masked = pl_alloc(pool, scan.text.len + 1);
	mask_all(&scan);
	for (size_t at = 0, n; at < scan.text.len; at += n) {
		n = pl_text_char(scan.text, at, &c);
		if ((c == '@' || c == FULLWIDTH_AT) && !scan.masked[at] && free_before(scan.text, at))
			fn(arg, scan.text, at + n);
	}
}

struct marking { const struct role *roles; int count; bool *marks; };

static void on_mark(void *arg, struct pl_str text, size_t at)
{
	const struct marking *m = arg;

	mark_at(text, at, m->roles, m->count, m->marks);
}

void mention_mark(struct pl_pool *pool, struct pl_str text, const struct role *roles, int count, bool *marks)
{
	each_place(pool, text, on_mark, &(struct marking){ roles, count, marks });
}

struct places { struct pl_pool *pool; struct pl_str *list; int count, most; };

/* Bytes behind the @ in which a longer display name can stand. */
static size_t rest_of(struct pl_str text, size_t at)
{
	size_t n = text.len - at < REST_BYTES ? text.len - at : REST_BYTES;
	const char *newline = memchr(text.ptr + at, '\n', n);

	if (newline != NULL)
		return (size_t)(newline - text.ptr) - at;
	while (n > 0 && at + n < text.len && ((unsigned char)text.ptr[at + n] & 0xc0) == 0x80)
		n--;	/* no half characters */
	return n;
}

static void on_place(void *arg, struct pl_str text, size_t at)
{
	struct places *p = arg;
	struct pl_buf buf = PL_BUF(p->pool);
	struct pl_str place;
	size_t len = 0;

	while (len < NAME_MAX_BYTES && at + len < text.len && name_char(text.ptr[at + len]))
		len++;
	for (; len > 0; len--) {
		if (free_behind(text, at + len))
			pl_buf_addf(&buf, "%s%.*s", pl_buf_str(&buf).len > 0 ? " " : "", (int)len, text.ptr + at);
	}
	if (pl_buf_str(&buf).len == 0 || p->count == p->most)
		return;
	pl_buf_addf(&buf, "\t%.*s", (int)rest_of(text, at), text.ptr + at);
	place = pl_buf_str(&buf);
	for (int i = 0; i < p->count; i++) {
		if (pl_str_eq(p->list[i], place))
			return;
	}
	p->list[p->count++] = place;
}

int mention_places(struct pl_pool *pool, struct pl_str text, int most, struct pl_str *places_r)
{
	struct places p = { pool, places_r, 0, most };

	each_place(pool, text, on_place, &p);
	return p.count;
}
