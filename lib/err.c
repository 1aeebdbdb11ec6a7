/* SPDX-License-Identifier: ISC */
/*
 * The table of errors and how values of it are filled.
 */
#include "err.h"

#include <stdio.h>

#include "str.h"

static const struct pl_err_info infos[PL_E_COUNT] = {
#define ERR(name, code_, http, ws, temp, text_) \
	[PL_E_##name] = { .code = code_, .text = text_, .http_status = http, .ws_close = ws, .temporary = temp },
#include "errors.def"
#undef ERR
};

const struct pl_err_info *pl_err_info(enum pl_code code)
{
	return &infos[(unsigned)code < PL_E_COUNT ? code : PL_E_INTERNAL];
}

const char *pl_err_text(const struct pl_err *err)
{
	return err->detail[0] != '\0' ? err->detail : pl_err_info(err->code)->text;
}

bool pl_err_set(struct pl_err *err, enum pl_code code, const char *fmt, ...)
{
	char detail[sizeof(err->detail) + 4];	/* apart: an argument may be the old detail; + 4: see what a cut hits */
	size_t cut;
	va_list args;
	int len = 0;

	if (err == NULL)
		return false;
	if (fmt != NULL) {
		va_start(args, fmt);
		len = vsnprintf(detail, sizeof(detail), fmt, args);
		va_end(args);
		PL_BUG(len < 0);
	}
	if ((size_t)len >= sizeof(detail))
		len = sizeof(detail) - 1;
	cut = pl_utf8_cut(detail, (size_t)len, sizeof(err->detail) - 1);
	err->code = code;
	err->retry_after_s = 0;
	err->lasting = false;
	err->sqlstate[0] = '\0';
	err->fields = NULL;
	memcpy(err->detail, detail, cut);
	err->detail[cut] = '\0';
	return false;
}

bool pl_err_temporary(const struct pl_err *err)
{
	return pl_err_info(err->code)->temporary && !err->lasting;
}

bool pl_err_field(struct pl_err *err, struct pl_pool *pool, const char *loc, const char *type, const char *fmt, ...)
{
	struct pl_buf msg = PL_BUF(pool);
	struct pl_field_err *field;
	const struct pl_field_err **end;
	va_list args;
	int len;

	PL_BUG(fmt == NULL);
	if (err == NULL)
		return false;
	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	PL_BUG(len < 0);
	va_start(args, fmt);
	vsnprintf(pl_buf_room(&msg, (size_t)len), (size_t)len + 1, fmt, args);
	va_end(args);
	field = pl_alloc(pool, sizeof(*field));
	*field = (struct pl_field_err){ .loc = pl_strdup(pool, loc), .msg = msg.ptr, .type = pl_strdup(pool, type) };
	if (err->code != PL_E_INVALID)
		pl_err_set(err, PL_E_INVALID, NULL);
	for (end = &err->fields; *end != NULL;)
		end = (const struct pl_field_err **)&(*end)->next;
	*end = field;
	return false;
}
