/* SPDX-License-Identifier: ISC */
/*
 * A printf of one value. Each conversion takes its argument here, because the logger must know which parts are text
 * from outside; numbers go on to snprintf.
 */
#include "log_value.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

#define CUT_MARK "..."
enum { CUT_MARK_LEN = sizeof(CUT_MARK) - 1, SPEC_FLAGS = 6, NUMBER_BYTES = 512 };

enum size {
	SIZE_INT, SIZE_CHAR, SIZE_SHORT, SIZE_LONG, SIZE_LLONG, SIZE_MAX_T, SIZE_SIZE_T, SIZE_PTRDIFF, SIZE_LDOUBLE
};

struct spec {
	char flags[SPEC_FLAGS];
	int width, precision;	/* precision -1 = none */
	enum size size;
	char conversion;
};

void pl_log_value_add(struct pl_log_value *value, const char *text, size_t len)
{
	size_t room = sizeof(value->text) - CUT_MARK_LEN - value->len;

	if (value->full)
		return;
	if (len > room) {
		len = pl_utf8_cut(text, len, room);
		value->full = true;
	}
	memcpy(value->text + value->len, text, len);
	value->len += len;
	if (value->full) {
		memcpy(value->text + value->len, CUT_MARK, CUT_MARK_LEN);
		value->len += CUT_MARK_LEN;
	}
}

static const char *read_count(const char *at, int *count_r, struct pl_log_args *from)
{
	if (*at == '*') {
		*count_r = va_arg(from->args, int);
		return at + 1;
	}
	for (*count_r = 0; *at >= '0' && *at <= '9'; at++) {
		if (*count_r < NUMBER_BYTES)
			*count_r = *count_r * 10 + (*at - '0');
	}
	return at;
}

static const char *read_size(const char *at, enum size *size_r)
{
	static const struct { char text[3]; enum size size; } sizes[] = {
		{ "hh", SIZE_CHAR }, { "h", SIZE_SHORT }, { "ll", SIZE_LLONG }, { "l", SIZE_LONG }, { "j", SIZE_MAX_T },
		{ "z", SIZE_SIZE_T }, { "t", SIZE_PTRDIFF }, { "L", SIZE_LDOUBLE },
	};

	for (size_t i = 0; i < PL_COUNT(sizes); i++) {
		size_t len = strlen(sizes[i].text);

		if (strncmp(at, sizes[i].text, len) == 0) {
			*size_r = sizes[i].size;
			return at + len;
		}
	}
	*size_r = SIZE_INT;
	return at;
}

/* `at` is behind the '%'. */
static const char *read_spec(const char *at, struct spec *spec, struct pl_log_args *from)
{
	size_t flags = 0;

	*spec = (struct spec){ .precision = -1 };
	for (; *at != '\0' && strchr("-+#0", *at) != NULL; at++) {
		if (flags < SPEC_FLAGS - 1)
			spec->flags[flags++] = *at;
	}
	at = read_count(at, &spec->width, from);
	if (*at == '.')
		at = read_count(at + 1, &spec->precision, from);
	at = read_size(at, &spec->size);
	spec->conversion = *at;
	return *at != '\0' ? at + 1 : at;
}

static int64_t take_signed(enum size size, struct pl_log_args *from)
{
	switch (size) {
	case SIZE_CHAR: return (signed char)va_arg(from->args, int);
	case SIZE_SHORT: return (short)va_arg(from->args, int);
	case SIZE_LONG: return va_arg(from->args, long);
	case SIZE_LLONG: return va_arg(from->args, long long);
	case SIZE_MAX_T: return va_arg(from->args, intmax_t);
	case SIZE_SIZE_T: return va_arg(from->args, ssize_t);
	case SIZE_PTRDIFF: return va_arg(from->args, ptrdiff_t);
	default: return va_arg(from->args, int);
	}
}

static uint64_t take_unsigned(enum size size, struct pl_log_args *from)
{
	switch (size) {
	case SIZE_CHAR: return (unsigned char)va_arg(from->args, unsigned);
	case SIZE_SHORT: return (unsigned short)va_arg(from->args, unsigned);
	case SIZE_LONG: return va_arg(from->args, unsigned long);
	case SIZE_LLONG: return va_arg(from->args, unsigned long long);
	case SIZE_MAX_T: return va_arg(from->args, uintmax_t);
	case SIZE_SIZE_T: return va_arg(from->args, size_t);
	case SIZE_PTRDIFF: return (uint64_t)va_arg(from->args, ptrdiff_t);
	default: return va_arg(from->args, unsigned);
	}
}

/* The format is rebuilt from `spec`: the compiler has checked the caller's, and cannot see ours. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void add_number(struct pl_log_value *value, const struct spec *spec, struct pl_log_args *from)
{
	bool integer = strchr("diuxXo", spec->conversion) != NULL;
	char fmt[SPEC_FLAGS + 8], text[NUMBER_BYTES];
	int len;

	snprintf(fmt, sizeof(fmt), "%%%s*.*%s%c", spec->flags,
	    integer ? "j" : spec->size == SIZE_LDOUBLE ? "L" : "", spec->conversion);
	if (!integer && spec->size == SIZE_LDOUBLE)
		len = snprintf(text, sizeof(text), fmt, spec->width, spec->precision, va_arg(from->args, long double));
	else if (!integer)
		len = snprintf(text, sizeof(text), fmt, spec->width, spec->precision, va_arg(from->args, double));
	else if (spec->conversion == 'd' || spec->conversion == 'i')
		len = snprintf(text, sizeof(text), fmt, spec->width, spec->precision,
		    (intmax_t)take_signed(spec->size, from));
	else
		len = snprintf(text, sizeof(text), fmt, spec->width, spec->precision,
		    (uintmax_t)take_unsigned(spec->size, from));
	if (len > 0)
		pl_log_value_add(value, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}
#pragma GCC diagnostic pop

static void add_plain_int(struct pl_log_value *value, int64_t number)
{
	char digits[24], *end = digits + sizeof(digits), *at = end;
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		*--at = '-';
	pl_log_value_add(value, at, (size_t)(end - at));
}

static void add_text(struct pl_log_value *value, const char *text, int precision)
{
	if (text == NULL)
		text = "-";
	pl_log_value_add(value, text, precision >= 0 ? strnlen(text, (size_t)precision) : strlen(text));
	value->is_text = true;
}

static void add_conversion(struct pl_log_value *value, const struct spec *spec, struct pl_log_args *from)
{
	char small[24];

	switch (spec->conversion) {
	case 'd':
	case 'i':
		if (spec->width == 0 && spec->precision < 0 && spec->flags[0] == '\0')
			add_plain_int(value, take_signed(spec->size, from));
		else
			add_number(value, spec, from);
		return;
	case 's':
		add_text(value, va_arg(from->args, const char *), spec->precision);
		return;
	case 'm':
		add_text(value, strerror(from->error), -1);
		return;
	case 'c':
		small[0] = (char)va_arg(from->args, int);
		pl_log_value_add(value, small, 1);
		value->is_text = true;
		return;
	case 'p':
		snprintf(small, sizeof(small), "%p", va_arg(from->args, void *));
		add_text(value, small, -1);
		return;
	case '%':
		pl_log_value_add(value, "%", 1);
		return;
	case 'u': case 'x': case 'X': case 'o':
	case 'f': case 'F': case 'e': case 'E': case 'g': case 'G': case 'a': case 'A':
		add_number(value, spec, from);
		return;
	default:
		PL_BUG("a conversion that the logger does not know");
	}
}

const char *pl_log_value_format(struct pl_log_value *value, const char *fmt, struct pl_log_args *from)
{
	while (*fmt != '\0' && *fmt != ' ') {
		size_t plain = strcspn(fmt, " %");
		struct spec spec;

		if (plain > 0) {
			pl_log_value_add(value, fmt, plain);
			fmt += plain;
			continue;
		}
		fmt = read_spec(fmt + 1, &spec, from);
		add_conversion(value, &spec, from);
	}
	return fmt;
}
