/* SPDX-License-Identifier: ISC */
/*
 * Frames must give the same messages and the same close code whole and in pieces (the first byte determines their
 * size).
 */
#include <stdlib.h>

#include "fuzz.h"
#include "wsframe.h"

#define CAP_BYTES 4096

static bool collect(void *arg, const struct pl_ws_msg *msg)
{
	struct pl_buf *out = arg;

	bool bad_code = msg->op == PL_WS_CLOSE && msg->code != 1005 && !pl_ws_close_code_ok(msg->code);

	if (msg->data.len > CAP_BYTES || bad_code)
		abort();
	pl_buf_addf(out, "%d %d %zu ", (int)msg->op, msg->code, msg->data.len);
	pl_buf_addstr(out, msg->data);
	return true;
}

static int run(const uint8_t *data, size_t size, size_t step, struct pl_buf *out)
{
	struct pl_ws_decoder dec = { .max_message_bytes = CAP_BYTES };
	int code = 0;

	for (size_t at = 0; at < size && code == 0; at += step) {
		size_t n = size - at < step ? size - at : step;
		char *piece = pl_new(n);

		memcpy(piece, data + at, n);
		code = pl_ws_feed(&dec, piece, n, collect, out);
		pl_free(piece);
	}
	pl_ws_decoder_fini(&dec);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_buf whole = PL_BUF(NULL), pieces = PL_BUF(NULL);

	if (size < 2)
		return 0;
	if (run(data + 1, size - 1, size, &whole) != run(data + 1, size - 1, (size_t)data[0] % 16 + 1, &pieces))
		abort();
	if (!pl_str_eq(pl_buf_str(&whole), pl_buf_str(&pieces)))
		abort();
	pl_buf_fini(&whole);
	pl_buf_fini(&pieces);
	return 0;
}
