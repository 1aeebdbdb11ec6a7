/* SPDX-License-Identifier: ISC */
/*
 * Numbers of JSON in both directions. The decimal point is '.' whatever the locale of the process.
 */
#include "json.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_STACK_BYTES = 64 };

static locale_t c_locale(void)
{
	static locale_t locale;

	if (locale == (locale_t)0)
		locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	PL_BUG(locale == (locale_t)0);
	return locale;
}

bool pl_json_i64(const struct pl_jval *value, int64_t min, int64_t max, int64_t *out_r)
{
	return value != NULL && value->type == PL_J_NUMBER && pl_str_i64(value->text, min, max, out_r);
}

bool pl_json_f64(const struct pl_jval *value, double *out_r)
{
	char small[NUMBER_STACK_BYTES], *text = small;
	double number;

	if (value == NULL || value->type != PL_J_NUMBER)
		return false;
	if (value->text.len >= sizeof(small))
		text = pl_new(value->text.len + 1);
	memcpy(text, value->text.ptr, value->text.len);
	text[value->text.len] = '\0';
	number = strtod_l(text, NULL, c_locale());
	if (text != small)
		pl_free(text);
	if (!isfinite(number))
		return false;
	*out_r = number;
	return true;
}

void pl_jw_f64(struct pl_jw *w, double value)
{
	locale_t before;
	char text[32];
	int len = 0;

	if (!isfinite(value)) {
		pl_jw_null(w);
		return;
	}
	before = uselocale(c_locale());
	for (int digits = 15; digits <= 17; digits++) {
		len = snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod_l(text, NULL, c_locale()) == value)
			break;
	}
	uselocale(before);
	pl_jw_raw(w, pl_strn(text, (size_t)len));
}
