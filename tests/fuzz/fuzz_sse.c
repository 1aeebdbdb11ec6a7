/* SPDX-License-Identifier: ISC */
/*
 * An event stream must give the same events whole and in pieces (the first byte determines their size).
 */
#include <stdlib.h>

#include "fuzz.h"
#include "sse.h"

#define CAP_BYTES 512

static bool collect(void *arg, struct pl_str event, struct pl_str data)
{
	struct pl_buf *out = arg;

	if (event.len + data.len > CAP_BYTES || event.ptr == NULL || data.ptr == NULL)
		abort();
	pl_buf_addf(out, "%zu %zu ", event.len, data.len);
	pl_buf_addstr(out, event);
	pl_buf_addstr(out, data);
	return true;
}

static bool run(const uint8_t *data, size_t size, size_t step, struct pl_buf *out)
{
	struct pl_sse sse;
	bool ok = true;

	pl_sse_init(&sse, CAP_BYTES);
	for (size_t at = 0; at < size && ok; at += step)
		ok = pl_sse_feed(&sse, (const char *)data + at, size - at < step ? size - at : step, collect, out);
	pl_buf_addf(out, "%lu", ok ? sse.comments : 0);
	pl_sse_fini(&sse);
	return ok;
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
