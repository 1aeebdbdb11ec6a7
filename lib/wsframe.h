/* SPDX-License-Identifier: ISC */
/*
 * RFC 6455 frame codec for a server, no I/O: bytes in, messages out; and the reverse.
 *
 * Enforces: masked client frames, no RSV, known opcodes, control frames unfragmented and <= 125 bytes, correct
 * continuation, valid close codes, UTF-8 text (fails at the first invalid byte), and limits of message size and
 * fragments. A decoder uses heap memory only while a message is incomplete.
 */
#ifndef PL_WSFRAME_H
#define PL_WSFRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

enum pl_ws_op { PL_WS_CONT = 0, PL_WS_TEXT = 1, PL_WS_BINARY = 2, PL_WS_CLOSE = 8, PL_WS_PING = 9, PL_WS_PONG = 10 };

struct pl_ws_partial;			/* heap; exists only in mid-message */

struct pl_ws_decoder {
	struct pl_ws_partial *partial;
	uint32_t max_message_bytes;
};

/* One whole message or control frame. Valid during the call. For close: `code` (1005 when none) and the reason. */
struct pl_ws_msg {
	enum pl_ws_op op;
	struct pl_str data;
	int code;
};

/* Return false to stop decoding (the connection is gone; the decoder will not be touched again). */
typedef bool (pl_ws_fn)(void *arg, const struct pl_ws_msg *msg);

/*
 * Feeds bytes (they are unmasked in place). Returns 0, or the close code of a violation (1002, 1007, 1009); then the
 * decoder must not be fed again. Messages before the violation were delivered. Returns -1 if fn returned false.
 */
int pl_ws_feed(struct pl_ws_decoder *dec, char *bytes, size_t len, pl_ws_fn *fn, void *arg) PL_MUSTCHECK;
void pl_ws_decoder_fini(struct pl_ws_decoder *dec);

#define PL_WS_HEADER_MAX 10
/* Header of an unmasked, final server frame; returns its length (2, 4 or 10). */
size_t pl_ws_header(char out[PL_WS_HEADER_MAX], enum pl_ws_op op, uint64_t payload_bytes);
/* Whole close frame; reason cut to 123 bytes at a character border. Returns its length. */
size_t pl_ws_close_frame(char out[127], int code, struct pl_str reason);
/* base64(SHA1(key + GUID)), 28 characters + NUL. */
void pl_ws_accept(struct pl_str key, char out[29]);
bool pl_ws_close_code_ok(int code);

#endif
