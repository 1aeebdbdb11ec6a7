/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames out (RFC 6455 section 5.2) and the handshake's answer (section 4.2.2).
 */
#include "wsframe.h"

#include "leaf.h"

#define REASON_MAX 123

size_t pl_ws_header(char out[PL_WS_HEADER_MAX], enum pl_ws_op op, uint64_t payload_bytes)
{
	size_t extra = payload_bytes < 126 ? 0 : payload_bytes <= 0xffff ? 2 : 8;

	out[0] = (char)(0x80 | (int)op);
	out[1] = (char)(extra == 0 ? payload_bytes : extra == 2 ? 126 : 127);
	for (size_t i = 0; i < extra; i++)
		out[2 + i] = (char)(payload_bytes >> (8 * (extra - 1 - i)) & 0xff);
	return 2 + extra;
}

size_t pl_ws_close_frame(char out[127], int code, struct pl_str reason)
{
	size_t cut;

	/* Code 1005 says that there was none; it is never sent. */
	if (code == 1005)
		return pl_ws_header(out, PL_WS_CLOSE, 0);
	cut = pl_utf8_cut(reason.ptr, reason.len, REASON_MAX);
	pl_ws_header(out, PL_WS_CLOSE, 2 + cut);
	out[2] = (char)(code >> 8 & 0xff);
	out[3] = (char)(code & 0xff);
	if (cut > 0)
		memcpy(out + 4, reason.ptr, cut);
	return 4 + cut;
}

void pl_ws_accept(struct pl_str key, char out[29])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	struct pl_buf text = PL_BUF(NULL);
	unsigned char digest[20];

	pl_buf_addstr(&text, key);
	pl_buf_adds(&text, guid);
	pl_sha1(text.ptr, text.len, digest);
	pl_buf_fini(&text);
	pl_b64_encode(digest, sizeof(digest), out);
}
