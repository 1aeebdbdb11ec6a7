/* SPDX-License-Identifier: ISC */
/*
 * JSON out, straight into a pl_buf.
 *
 * pl_jw.first: bit 0 says that the open level has no value yet (the levels below always have one); bit n, n = 1..31,
 * says that level n is an object.
 */
#include "json.h"

#include "clock.h"

enum { JW_DEPTH_MAX = 63 };	/* what the reader takes, inside of replies of our own */

/* Comma, and the order of keys and values. */
static inline void start_value(struct pl_jw *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	PL_BUG(w->depth > 0 ? (w->first >> w->depth & 1) != 0 : (w->first & 1) == 0);
	if ((w->first & 1) != 0)
		w->first &= ~(uint64_t)1;
	else
		pl_buf_addc(w->buf, ',');
}

static void open_level(struct pl_jw *w, char bracket, uint64_t is_object)
{
	start_value(w);
	PL_BUG(w->depth == JW_DEPTH_MAX);
	w->depth++;
	w->first = (w->first & ~((uint64_t)1 << w->depth)) | is_object << w->depth | 1;
	pl_buf_addc(w->buf, bracket);
}

static void close_level(struct pl_jw *w, char bracket, uint64_t is_object)
{
	PL_BUG(w->depth == 0 || w->after_key || (w->first >> w->depth & 1) != is_object);
	w->depth--;
	w->first &= ~(uint64_t)1;
	pl_buf_addc(w->buf, bracket);
}

void pl_jw_object(struct pl_jw *w)
{
	open_level(w, '{', 1);
}

void pl_jw_array(struct pl_jw *w)
{
	open_level(w, '[', 0);
}

void pl_jw_end_object(struct pl_jw *w)
{
	close_level(w, '}', 1);
}

void pl_jw_end_array(struct pl_jw *w)
{
	close_level(w, ']', 0);
}

void pl_jw_key(struct pl_jw *w, const char *key)
{
	size_t len = strlen(key);
	char *out = pl_buf_room(w->buf, len + 4), *start = out;

	PL_BUG(w->depth == 0 || w->after_key || (w->first >> w->depth & 1) == 0);
	if ((w->first & 1) == 0)
		*out++ = ',';
	w->first &= ~(uint64_t)1;
	*out++ = '"';
	memcpy(out, key, len);
	out += len;
	*out++ = '"';
	*out++ = ':';
	*out = '\0';
	w->buf->len += (size_t)(out - start);
	w->after_key = true;
}

typedef unsigned char byte16 __attribute__((vector_size(16)));

static inline bool needs_escape(unsigned char c)
{
	return c < ' ' || c == '"' || c == '\\';
}

/* Bytes before the first that must be escaped; sixteen at a time. */
static inline size_t plain_run(const char *text, size_t len)
{
	size_t i = 0;

	for (; len - i >= sizeof(byte16); i += sizeof(byte16)) {
		byte16 block;
		uint64_t any[2];

		memcpy(&block, text + i, sizeof(block));
		block = (byte16)((block < ' ') | (block == '"') | (block == '\\'));
		memcpy(any, &block, sizeof(any));
		if ((any[0] | any[1]) != 0)
			break;
	}
	while (i < len && !needs_escape((unsigned char)text[i]))
		i++;
	return i;
}

static void add_escape(struct pl_buf *buf, unsigned char c)
{
	static const char shorts[' '] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
	static const char digits[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };

	if (c >= ' ' || shorts[c] != '\0') {
		text[1] = c >= ' ' ? (char)c : shorts[c];
		pl_buf_add(buf, text, 2);
	} else {
		pl_buf_add(buf, text, sizeof(text));
	}
}

void pl_jw_str(struct pl_jw *w, struct pl_str value)
{
	struct pl_buf *buf = w->buf;
	size_t run;

	if (value.ptr == NULL) {
		pl_jw_null(w);
		return;
	}
	start_value(w);
	pl_buf_room(buf, value.len + 2);	/* the usual case grows once */
	pl_buf_addc(buf, '"');
	for (;;) {
		run = plain_run(value.ptr, value.len);
		pl_buf_add(buf, value.ptr, run);
		if (run == value.len)
			break;
		add_escape(buf, (unsigned char)value.ptr[run]);
		value = pl_strn(value.ptr + run + 1, value.len - run - 1);
	}
	pl_buf_addc(buf, '"');
}

void pl_jw_cstr(struct pl_jw *w, const char *value)
{
	pl_jw_str(w, pl_str(value));
}

void pl_jw_raw(struct pl_jw *w, struct pl_str json)
{
	PL_BUG(json.len == 0);
	start_value(w);
	pl_buf_addstr(w->buf, json);
}

void pl_jw_i64(struct pl_jw *w, int64_t value)
{
	start_value(w);
	pl_buf_addi(w->buf, value);
}

void pl_jw_bool(struct pl_jw *w, bool value)
{
	pl_jw_raw(w, value ? PL_STR("true") : PL_STR("false"));
}

void pl_jw_null(struct pl_jw *w)
{
	pl_jw_raw(w, PL_STR("null"));
}

void pl_jw_time(struct pl_jw *w, int64_t wall_us)
{
	char text[PL_TIME_LEN + 2];

	text[0] = '"';
	pl_time_format(wall_us, text + 1);
	text[PL_TIME_LEN + 1] = '"';
	pl_jw_raw(w, pl_strn(text, sizeof(text)));
}

void pl_jw_kstr(struct pl_jw *w, const char *key, struct pl_str value)
{
	pl_jw_key(w, key);
	pl_jw_str(w, value);
}

void pl_jw_kcstr(struct pl_jw *w, const char *key, const char *value)
{
	pl_jw_key(w, key);
	pl_jw_cstr(w, value);
}

void pl_jw_ki64(struct pl_jw *w, const char *key, int64_t value)
{
	pl_jw_key(w, key);
	pl_jw_i64(w, value);
}

void pl_jw_kbool(struct pl_jw *w, const char *key, bool value)
{
	pl_jw_key(w, key);
	pl_jw_bool(w, value);
}

void pl_jw_ktime(struct pl_jw *w, const char *key, int64_t wall_us)
{
	pl_jw_key(w, key);
	pl_jw_time(w, wall_us);
}

void pl_jw_kraw(struct pl_jw *w, const char *key, struct pl_str json)
{
	pl_jw_key(w, key);
	pl_jw_raw(w, json);
}
