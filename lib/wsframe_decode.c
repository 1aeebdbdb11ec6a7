/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames in (RFC 6455 sections 5 and 7.4, RFC 3629 for text).
 *
 *   pl_ws_feed -> take_header -> whole frame in the buffer, nothing pending: deliver_now (no copy)
 *                             -> otherwise: take_payload as bytes come -> end_frame -> deliver
 *
 * struct pl_ws_partial exists from the first byte that cannot be delivered at once until the message is complete, and
 * after a close frame, to swallow what follows.
 */
#include "wsframe.h"

enum {
	CLOSE_PROTOCOL = 1002,
	CLOSE_NO_CODE = 1005,
	CLOSE_BAD_DATA = 1007,
	CLOSE_TOO_BIG = 1009,
	STOPPED = -1,		/* what pl_ws_feed() gives when fn said stop */

	HEAD_MAX = 14,		/* 2 + 8 length + 4 mask */
	CONTROL_MAX = 125,
	FRAGMENTS_MAX = 1024	/* of one message; empty ones cost the sender nothing */
};

struct ws_head {
	bool fin;
	int op;
	uint64_t bytes;		/* of payload */
	unsigned char mask[4];
};

struct pl_ws_partial {
	unsigned char raw[HEAD_MAX];	/* header that is still incomplete */
	size_t raw_len;

	bool in_payload;
	struct ws_head head;		/* of the frame being read */
	uint64_t seen;			/* bytes of its payload so far */
	char control[CONTROL_MAX];	/* a control frame may come between two fragments */

	enum pl_ws_op message_op;	/* PL_WS_CONT: no message begun */
	struct pl_buf message;
	uint32_t utf8;
	int fragments;

	bool closed;
};

/* XORs with the mask, 8 bytes at a time; `phase` = how many bytes of this payload went before. */
static void unmask(char *bytes, size_t len, const unsigned char mask[4], uint64_t phase)
{
	unsigned char turned[8];
	uint64_t key, word;
	size_t i = 0;

	for (size_t k = 0; k < sizeof(turned); k++)
		turned[k] = mask[(phase + k) & 3];
	memcpy(&key, turned, sizeof(key));
	for (; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		word ^= key;
		memcpy(bytes + i, &word, sizeof(word));
	}
	for (size_t k = 0; i < len; i++, k++)
		bytes[i] = (char)((unsigned char)bytes[i] ^ turned[k]);
}

/* pl_utf8_feed() refuses U+0000, which RFC 6455 allows in text: the layer above decides about it. */
static bool text_feed(uint32_t *state, const char *text, size_t len)
{
	while (len > 0) {
		const char *nul = memchr(text, '\0', len);
		size_t n = nul != NULL ? (size_t)(nul - text) : len;

		if (!pl_utf8_feed(state, text, n))
			return false;
		if (nul == NULL)
			return true;
		if (*state != 0)
			return false;
		text += n + 1;
		len -= n + 1;
	}
	return true;
}

bool pl_ws_close_code_ok(int code)
{
	/* RFC 6455 section 7.4 and IANA's registry: 1004 undefined, 1005, 1006 and 1015 never on the wire. */
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static bool op_known(int op)
{
	return op <= PL_WS_BINARY || (op >= PL_WS_CLOSE && op <= PL_WS_PONG);
}

static bool op_control(int op)
{
	return (op & 8) != 0;
}

/*
 * Reads a header out of p[0..len). Gives 0 or a close code as soon as a byte breaks a rule; *need_r is the header's
 * whole length as far as it is known, and the header is complete when len >= *need_r.
 */
static int head_read(const unsigned char *p, size_t len, struct ws_head *head, size_t *need_r)
{
	size_t extra = 0;

	*need_r = 2;
	head->fin = (p[0] & 0x80) != 0;
	head->op = p[0] & 0x0f;
	if ((p[0] & 0x70) != 0 || !op_known(head->op) || (op_control(head->op) && !head->fin))
		return CLOSE_PROTOCOL;
	if (len < 2)
		return 0;
	head->bytes = p[1] & 0x7f;
	if ((p[1] & 0x80) == 0 || (op_control(head->op) && head->bytes > CONTROL_MAX))
		return CLOSE_PROTOCOL;
	if (head->bytes >= 126)
		extra = head->bytes == 126 ? 2 : 8;
	*need_r = 2 + extra + 4;
	if (len < *need_r)
		return 0;
	if (extra > 0) {
		head->bytes = 0;
		for (size_t i = 0; i < extra; i++)
			head->bytes = head->bytes << 8 | p[2 + i];
		/* Section 5.2: the shortest form, and the top bit is 0. */
		if (head->bytes < 126 || (extra == 8 && (head->bytes <= 0xffff || head->bytes >> 63 != 0)))
			return CLOSE_PROTOCOL;
	}
	memcpy(head->mask, p + 2 + extra, 4);
	return 0;
}

/* May this frame come now? */
static int head_check(const struct pl_ws_decoder *dec, const struct ws_head *head)
{
	const struct pl_ws_partial *part = dec->partial;
	bool begun = part != NULL && part->message_op != PL_WS_CONT;
	size_t have = begun ? part->message.len : 0;

	if (op_control(head->op))
		return 0;
	if (begun != (head->op == PL_WS_CONT))
		return CLOSE_PROTOCOL;
	if (have > dec->max_message_bytes || head->bytes > dec->max_message_bytes - have)
		return CLOSE_TOO_BIG;
	if (begun && part->fragments >= FRAGMENTS_MAX)
		return CLOSE_TOO_BIG;
	return 0;
}

/* Splits a close frame's body; 0 or a close code. */
static int close_read(struct pl_ws_msg *msg)
{
	const unsigned char *body = (const unsigned char *)msg->data.ptr;
	uint32_t state = 0;

	msg->code = CLOSE_NO_CODE;
	if (msg->data.len == 0)
		return 0;
	if (msg->data.len == 1)
		return CLOSE_PROTOCOL;
	msg->code = body[0] << 8 | body[1];
	if (!pl_ws_close_code_ok(msg->code))
		return CLOSE_PROTOCOL;
	msg->data = pl_strn(msg->data.ptr + 2, msg->data.len - 2);
	return text_feed(&state, msg->data.ptr, msg->data.len) && state == 0 ? 0 : CLOSE_BAD_DATA;
}

static struct pl_ws_partial *partial_get(struct pl_ws_decoder *dec)
{
	if (dec->partial == NULL)
		dec->partial = pl_new(sizeof(*dec->partial));
	return dec->partial;
}

void pl_ws_decoder_fini(struct pl_ws_decoder *dec)
{
	if (dec->partial == NULL)
		return;
	pl_buf_fini(&dec->partial->message);
	pl_free(dec->partial);
	dec->partial = NULL;
}

/* Gives back the memory of a decoder that stands between two messages. */
static void partial_drop_idle(struct pl_ws_decoder *dec)
{
	if (dec->partial != NULL && dec->partial->message_op == PL_WS_CONT && !dec->partial->closed)
		pl_ws_decoder_fini(dec);
}

/* A complete control frame. The decoder is not used after fn, because its owner may have been freed. */
static int deliver_control(struct pl_ws_decoder *dec, int op, const char *data, size_t len, pl_ws_fn *fn, void *arg)
{
	struct pl_ws_msg msg = { .op = (enum pl_ws_op)op, .data = pl_strn(data, len) };
	char copy[CONTROL_MAX];
	int code;

	if (dec->partial != NULL) {
		/* The owner may free the decoder, and with it this payload, from inside fn. */
		memcpy(copy, data, len);
		msg.data.ptr = copy;
	}
	if (msg.op == PL_WS_CLOSE) {
		code = close_read(&msg);
		if (code != 0)
			return code;
		partial_get(dec)->closed = true;
	} else {
		partial_drop_idle(dec);
	}
	return fn(arg, &msg) ? 0 : STOPPED;
}

/* A complete message that was put together on the heap. */
static int deliver_message(struct pl_ws_decoder *dec, pl_ws_fn *fn, void *arg)
{
	struct pl_ws_partial *part = dec->partial;
	struct pl_ws_msg msg = { .op = part->message_op, .data = pl_buf_str(&part->message) };
	struct pl_buf message = part->message;
	bool more;

	if (part->message_op == PL_WS_TEXT && part->utf8 != 0)
		return CLOSE_BAD_DATA;
	part->message = PL_BUF(NULL);
	pl_ws_decoder_fini(dec);
	more = fn(arg, &msg);
	pl_buf_fini(&message);
	return more ? 0 : STOPPED;
}

/* The usual case: a whole, final frame lies in the caller's buffer and nothing is pending. */
static int deliver_now(struct pl_ws_decoder *dec, const struct ws_head *head, char *payload, pl_ws_fn *fn, void *arg)
{
	struct pl_ws_msg msg = { .op = (enum pl_ws_op)head->op, .data = pl_strn(payload, (size_t)head->bytes) };
	uint32_t state = 0;

	unmask(payload, msg.data.len, head->mask, 0);
	if (op_control(head->op))
		return deliver_control(dec, head->op, payload, msg.data.len, fn, arg);
	if (msg.op == PL_WS_TEXT && (!text_feed(&state, payload, msg.data.len) || state != 0))
		return CLOSE_BAD_DATA;
	return fn(arg, &msg) ? 0 : STOPPED;
}

/* All payload of the frame has come. */
static int end_frame(struct pl_ws_decoder *dec, pl_ws_fn *fn, void *arg)
{
	struct pl_ws_partial *part = dec->partial;

	part->in_payload = false;
	if (op_control(part->head.op))
		return deliver_control(dec, part->head.op, part->control, (size_t)part->seen, fn, arg);
	return part->head.fin ? deliver_message(dec, fn, arg) : 0;
}

static int take_payload(struct pl_ws_decoder *dec, char *bytes, size_t len, size_t *used_r, pl_ws_fn *fn, void *arg)
{
	struct pl_ws_partial *part = dec->partial;
	uint64_t missing = part->head.bytes - part->seen;
	size_t take = missing < len ? (size_t)missing : len;

	*used_r = take;
	unmask(bytes, take, part->head.mask, part->seen);
	if (op_control(part->head.op)) {
		memcpy(part->control + part->seen, bytes, take);
	} else {
		if (part->message_op == PL_WS_TEXT && !text_feed(&part->utf8, bytes, take))
			return CLOSE_BAD_DATA;
		pl_buf_add(&part->message, bytes, take);
	}
	part->seen += take;
	return take == missing ? end_frame(dec, fn, arg) : 0;
}

/* Starts a frame whose payload is collected. */
static int begin_frame(struct pl_ws_decoder *dec, const struct ws_head *head, pl_ws_fn *fn, void *arg)
{
	struct pl_ws_partial *part = partial_get(dec);

	part->in_payload = true;
	part->head = *head;
	part->seen = 0;
	if (!op_control(head->op)) {
		if (head->op != PL_WS_CONT)
			part->message_op = (enum pl_ws_op)head->op;
		part->fragments++;
	}
	return head->bytes == 0 ? end_frame(dec, fn, arg) : 0;
}

/* Completes a header that came in pieces; *used_r counts bytes of this piece. */
static int head_resume(struct pl_ws_decoder *dec, const char *bytes, size_t len, size_t *used_r, struct ws_head *head,
    bool *complete_r)
{
	struct pl_ws_partial *part = partial_get(dec);
	size_t need = 1;
	int code = 0;

	*used_r = 0;
	for (;;) {
		if (part->raw_len > 0)
			code = head_read(part->raw, part->raw_len, head, &need);
		if (code != 0 || part->raw_len >= need || *used_r == len)
			break;
		part->raw[part->raw_len++] = (unsigned char)bytes[(*used_r)++];
	}
	*complete_r = part->raw_len >= need;
	if (*complete_r)
		part->raw_len = 0;
	return code;
}

static int take_header(struct pl_ws_decoder *dec, char *bytes, size_t len, size_t *used_r, pl_ws_fn *fn, void *arg)
{
	bool resumed = dec->partial != NULL && dec->partial->raw_len > 0, complete = false;
	struct ws_head head = { 0 };
	int code = 0;

	if (!resumed) {
		code = head_read((const unsigned char *)bytes, len, &head, used_r);
		complete = len >= *used_r;
	}
	if (resumed || (code == 0 && !complete))
		code = head_resume(dec, bytes, len, used_r, &head, &complete);
	if (code != 0 || !complete)
		return code;
	code = head_check(dec, &head);
	if (code != 0)
		return code;
	if (dec->partial == NULL && head.fin && head.bytes <= len - *used_r) {
		char *payload = bytes + *used_r;

		*used_r += (size_t)head.bytes;
		return deliver_now(dec, &head, payload, fn, arg);
	}
	return begin_frame(dec, &head, fn, arg);
}

int pl_ws_feed(struct pl_ws_decoder *dec, char *bytes, size_t len, pl_ws_fn *fn, void *arg)
{
	while (len > 0) {
		size_t used = 0;
		int code;

		/* Section 5.5.1: nothing counts after a close frame. */
		if (dec->partial != NULL && dec->partial->closed)
			return 0;
		if (dec->partial != NULL && dec->partial->in_payload)
			code = take_payload(dec, bytes, len, &used, fn, arg);
		else
			code = take_header(dec, bytes, len, &used, fn, arg);
		if (code != 0)
			return code;
		bytes += used;
		len -= used;
	}
	return 0;
}
