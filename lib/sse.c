/* SPDX-License-Identifier: ISC */
/*
 * Event-stream parser: lines out of bytes, fields out of lines, events out of fields.
 */
#include "sse.h"

void pl_sse_init(struct pl_sse *sse, size_t max_bytes)
{
	*sse = (struct pl_sse){ .max_bytes = max_bytes };
}

void pl_sse_fini(struct pl_sse *sse)
{
	pl_buf_fini(&sse->line);
	pl_buf_fini(&sse->data);
	pl_buf_fini(&sse->event);
}

/* Whether `more` bytes still fit into the event that is being collected. */
static bool sse_has_room(const struct pl_sse *sse, size_t more)
{
	/* The parts never exceed max_bytes together, so this cannot wrap. */
	return more <= sse->max_bytes - sse->line.len - sse->data.len - sse->event.len;
}

/* An empty line: the event is complete. Without a data line there is none to give. */
static bool sse_dispatch(struct pl_sse *sse, pl_sse_fn *fn, void *arg)
{
	bool wanted = sse->has_data;

	if (wanted && !fn(arg, pl_buf_str(&sse->event), pl_buf_str(&sse->data)))
		return false;
	sse->has_data = false;
	pl_buf_reset(&sse->data);
	pl_buf_reset(&sse->event);
	return true;
}

static bool sse_field(struct pl_sse *sse, struct pl_str name, struct pl_str value)
{
	if (pl_str_is(name, "data")) {
		if (!sse_has_room(sse, value.len + (sse->has_data ? 1 : 0)))
			return false;
		if (sse->has_data)
			pl_buf_addc(&sse->data, '\n');
		pl_buf_addstr(&sse->data, value);
		sse->has_data = true;
	} else if (pl_str_is(name, "event")) {
		pl_buf_reset(&sse->event);
		if (!sse_has_room(sse, value.len))
			return false;
		pl_buf_addstr(&sse->event, value);
	} else if (pl_str_is(name, "error")) {
		/* llama-server's way to say that it failed */
		pl_buf_reset(&sse->event);
		pl_buf_reset(&sse->data);
		if (!sse_has_room(sse, sizeof("error") + value.len))
			return false;
		pl_buf_adds(&sse->event, "error");
		pl_buf_addstr(&sse->data, value);
		sse->has_data = true;
	}
	/* "id" and "retry" steer a browser's reconnect; upstream streams are never resumed. */
	return true;
}

/* One line without its end. */
static bool sse_line(struct pl_sse *sse, struct pl_str line, pl_sse_fn *fn, void *arg)
{
	struct pl_str name, value;

	if (!sse->started) {
		sse->started = true;
		line = pl_str_unmarked(line);
	}
	if (line.len == 0)
		return sse_dispatch(sse, fn, arg);
	if (line.ptr[0] == ':') {
		sse->comments++;
		return true;
	}
	value = line;
	if (!pl_str_cut(&value, ':', &name))
		return true;
	if (value.ptr == NULL)
		value = PL_STR("");
	if (value.len > 0 && value.ptr[0] == ' ')
		value = pl_strn(value.ptr + 1, value.len - 1);
	return sse_field(sse, name, value);
}

/* A line that began in an earlier piece: take its text out of sse->line, which must be free for counting room. */
static bool sse_line_kept(struct pl_sse *sse, pl_sse_fn *fn, void *arg)
{
	struct pl_str line = pl_buf_str(&sse->line);

	sse->line.len = 0;
	return sse_line(sse, line, fn, arg);
}

static size_t line_length(const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && bytes[n] != '\n' && bytes[n] != '\r')
		n++;
	return n;
}

bool pl_sse_feed(struct pl_sse *sse, const char *bytes, size_t len, pl_sse_fn *fn, void *arg)
{
	while (len > 0) {
		size_t n;
		bool ok;

		if (sse->last_cr) {
			sse->last_cr = false;
			if (*bytes == '\n') {
				bytes++;
				len--;
				continue;
			}
		}
		n = line_length(bytes, len);
		if (!sse_has_room(sse, n))
			return false;
		if (n == len) {
			pl_buf_add(&sse->line, bytes, n);
			return true;
		}
		sse->last_cr = bytes[n] == '\r';
		if (sse->line.len == 0) {
			ok = sse_line(sse, pl_strn(bytes, n), fn, arg);
		} else {
			pl_buf_add(&sse->line, bytes, n);
			ok = sse_line_kept(sse, fn, arg);
		}
		if (!ok)
			return false;
		bytes += n + 1;
		len -= n + 1;
	}
	return true;
}
