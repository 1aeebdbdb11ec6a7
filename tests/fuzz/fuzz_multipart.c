/* SPDX-License-Identifier: ISC */
/*
 * A form: the first line is the boundary, the rest the body. A value is inside the body and contains no delimiter.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_str body = pl_strn((const char *)data, size), boundary, value;
	char delimiter[80];
	bool bad;

	if (!pl_str_cut(&body, '\n', &boundary) || body.ptr == NULL || boundary.len < 1 || boundary.len > 70)
		return 0;
	value = pl_multipart_get(body, boundary, "a", &bad);
	if (bad && value.ptr != NULL)
		abort();
	if (value.ptr == NULL)
		return 0;
	if (value.ptr < body.ptr || value.ptr + value.len > body.ptr + body.len || !pl_utf8_ok(value.ptr, value.len))
		abort();
	memcpy(delimiter, "\r\n--", 4);
	memcpy(delimiter + 4, boundary.ptr, boundary.len);
	if (memmem(value.ptr, value.len, delimiter, boundary.len + 4) != NULL)
		abort();
	return 0;
}
