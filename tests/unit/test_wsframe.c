/* SPDX-License-Identifier: ISC */
/*
 * The frame codec against a table modelled on the Autobahn test suite (sections 1-7 and 10). Each row is fed whole,
 * byte by byte, and cut in two at every place.
 */
#include <check.h>
#include <stdlib.h>

#include "wsframe.h"

Suite *suite_wsframe(void);

enum { MAX_MESSAGE = 70000 };

/*
 * `frames`: words separated by blanks, "first byte in hex : payload"; in the payload \xNN escapes, '*N' for N times 'x'
 * and '_' for a blank. A '!' before the hex leaves out the mask, 'L' and 'Q' force a 16-bit or 64-bit length.
 */
struct row {
	const char *name;
	const char *frames;
	const char *gives;	/* "t:text;" "b:..;" "9:..;" "a:..;" "c1000:reason;" */
	int code;
};

static const struct row rows[] = {
	/* 1: framing of text and binary */
	{ "1.1.1", "81:", "t:;", 0 },
	{ "1.1.2", "81:*125", "t:*125;", 0 },
	{ "1.1.3", "81:*126", "t:*126;", 0 },
	{ "1.1.4", "81:*127", "t:*127;", 0 },
	{ "1.1.5", "81:*128", "t:*128;", 0 },
	{ "1.2.1", "82:", "b:;", 0 },
	{ "1.2.2", "82:\\xff\\x00\\xfe", "b:\\xff\\x00\\xfe;", 0 },
	{ "two messages", "81:a 81:b", "t:a;t:b;", 0 },
	/* 2: pings and pongs */
	{ "2.1", "89:", "9:;", 0 },
	{ "2.2", "89:Hello", "9:Hello;", 0 },
	{ "2.3", "89:\\x00\\xff\\xfe", "9:\\x00\\xff\\xfe;", 0 },
	{ "2.4", "89:*125", "9:*125;", 0 },
	{ "2.5", "89:*126", "", 1002 },
	{ "2.7", "8a:", "a:;", 0 },
	{ "2.8", "8a:unsolicited", "a:unsolicited;", 0 },
	{ "2.10", "89:0 89:1 89:2", "9:0;9:1;9:2;", 0 },
	/* 3: reserved bits */
	{ "3.1", "c1:x", "", 1002 },
	{ "3.2", "81:ok a1:x 89:", "t:ok;", 1002 },
	{ "3.3", "91:x", "", 1002 },
	{ "3.4", "b1:x", "", 1002 },
	{ "3.5", "c2:x", "", 1002 },
	{ "3.6", "d9:x", "", 1002 },
	{ "3.7", "f8:\\x03\\xe8", "", 1002 },
	/* 4: unknown opcodes */
	{ "4.1.1", "83:", "", 1002 },
	{ "4.1.3", "81:ok 85:x 89:", "t:ok;", 1002 },
	{ "4.1.5", "87:", "", 1002 },
	{ "4.2.1", "8b:", "", 1002 },
	{ "4.2.5", "81:ok 8f: 89:", "t:ok;", 1002 },
	/* 5: fragmentation */
	{ "5.1", "09:a 80:b", "", 1002 },
	{ "5.2", "0a:a 80:b", "", 1002 },
	{ "5.3", "01:frag1 80:frag2", "t:frag1frag2;", 0 },
	{ "5.6", "01:frag1 89:ping 80:frag2", "9:ping;t:frag1frag2;", 0 },
	{ "5.9", "80:x 81:y", "", 1002 },
	{ "5.12", "00:x 81:y", "", 1002 },
	{ "5.15", "01:a 80:b 00:c 81:d", "t:ab;", 1002 },
	{ "5.18", "01:a 81:b", "", 1002 },
	{ "5.18b", "01:a 02:b", "", 1002 },
	{ "5.19", "01:a 00:b 89:p1 00:c 00:d 89:p2 80:e", "9:p1;9:p2;t:abcde;", 0 },
	{ "binary fragments", "02:\\xff 00:\\xfe 80:\\x00", "b:\\xff\\xfe\\x00;", 0 },
	{ "after fragments", "01:a 80:b 81:c 01:d 80:", "t:ab;t:c;t:d;", 0 },
	/* 6: UTF-8 */
	{ "6.1.1", "81:", "t:;", 0 },
	{ "6.1.2", "01: 00: 80:", "t:;", 0 },
	{ "6.1.3", "01: 00:x 80:", "t:x;", 0 },
	{ "6.2.1", "81:\\xce\\xba\\xe1\\xbd\\xb9", "t:\\xce\\xba\\xe1\\xbd\\xb9;", 0 },
	{ "6.2.3", "01:\\xce 00:\\xba 00:\\xe1 00:\\xbd 80:\\xb9", "t:\\xce\\xba\\xe1\\xbd\\xb9;", 0 },
	{ "6.2.4", "01:\\xf0\\x9f 89:p 80:\\x98\\x80", "9:p;t:\\xf0\\x9f\\x98\\x80;", 0 },
	{ "6.3.1", "81:\\xce\\xba\\xed\\xa0\\x80ed", "", 1007 },
	{ "6.3.2", "01:\\xce\\xba 00:\\xed\\xa0", "", 1007 },
	{ "6.4.1", "01:ok 00:\\xf4\\x90", "", 1007 },
	{ "6.4.2", "01:ok\\xf4 00:\\x90", "", 1007 },
	{ "6.6 cut", "81:\\xce", "", 1007 },
	{ "6.6 cut 3", "81:\\xe1\\xbd", "", 1007 },
	{ "6.6 cut frags", "01:\\xf0\\x9f 80:\\x98", "", 1007 },
	{ "6.7 nul", "81:\\x00", "t:\\x00;", 0 },
	{ "6.7 2", "81:\\xc2\\x80", "t:\\xc2\\x80;", 0 },
	{ "6.7 3", "81:\\xe0\\xa0\\x80", "t:\\xe0\\xa0\\x80;", 0 },
	{ "6.7 4", "81:\\xf0\\x90\\x80\\x80", "t:\\xf0\\x90\\x80\\x80;", 0 },
	{ "nul in character", "81:\\xe1\\x00\\x80", "", 1007 },
	{ "6.8 5 bytes", "81:\\xf8\\x88\\x80\\x80\\x80", "", 1007 },
	{ "6.9 last", "81:\\x7f\\xdf\\xbf\\xef\\xbf\\xbf\\xf4\\x8f\\xbf\\xbf",
	    "t:\\x7f\\xdf\\xbf\\xef\\xbf\\xbf\\xf4\\x8f\\xbf\\xbf;", 0 },
	{ "6.11 border", "81:\\xed\\x9f\\xbf\\xee\\x80\\x80\\xef\\xbf\\xbd",
	    "t:\\xed\\x9f\\xbf\\xee\\x80\\x80\\xef\\xbf\\xbd;", 0 },
	{ "6.11 above", "81:\\xf4\\x90\\x80\\x80", "", 1007 },
	{ "6.12 lone", "81:\\x80", "", 1007 },
	{ "6.13 start only", "81:\\xc2_", "", 1007 },
	{ "6.14", "81:\\xfe", "", 1007 },
	{ "6.15 overlong", "81:\\xc0\\xaf", "", 1007 },
	{ "6.16 overlong 3", "81:\\xe0\\x9f\\xbf", "", 1007 },
	{ "6.17 overlong 4", "81:\\xf0\\x8f\\xbf\\xbf", "", 1007 },
	{ "6.20 surrogate", "81:\\xed\\xbf\\xbf", "", 1007 },
	{ "6.22 noncharacter", "81:\\xef\\xbf\\xbe", "t:\\xef\\xbf\\xbe;", 0 },
	{ "binary is not checked", "82:\\xc0\\xaf", "b:\\xc0\\xaf;", 0 },
	/* 7: closing */
	{ "7.1.1", "81:a 88:\\x03\\xe8", "t:a;c1000:;", 0 },
	{ "7.1.3", "88:\\x03\\xe8 89:late", "c1000:;", 0 },
	{ "7.1.5", "01:begun 88:\\x03\\xe8 80:late", "c1000:;", 0 },
	{ "rubbish after close", "88:\\x03\\xe8 ff:x !83:y", "c1000:;", 0 },
	{ "7.3.1", "88:", "c1005:;", 0 },
	{ "7.3.2", "88:\\x03", "", 1002 },
	{ "7.3.4", "88:\\x03\\xe8Hello", "c1000:Hello;", 0 },
	{ "7.3.5", "88:\\x03\\xe8*123", "c1000:*123;", 0 },
	{ "7.3.6", "88:\\x03\\xe8*124", "", 1002 },
	{ "7.5.1", "88:\\x03\\xe8\\xce\\xba\\xed\\xa0\\x80", "", 1007 },
	{ "7.5 cut", "88:\\x03\\xe8\\xce", "", 1007 },
	{ "7.9.1", "88:\\x00\\x00", "", 1002 },
	{ "7.9.4", "88:\\x03\\xed", "", 1002 },
	{ "7.9.11", "88:\\x13\\x88", "", 1002 },
	{ "close in two", "08:\\x03\\xe8", "", 1002 },
	/* 10: whole in pieces */
	{ "10.1.1", "01:*1300 00:*1300 80:*50", "t:*2650;", 0 },
	/* more than Autobahn checks */
	{ "unmasked", "!81:x", "", 1002 },
	{ "unmasked ping", "81:a !89:x", "t:a;", 1002 },
	{ "16 bit too long a form", "L81:x", "", 1002 },
	{ "64 bit too long a form", "Q81:*65535", "", 1002 },
	{ "control in 16 bit", "L89:x", "", 1002 },
	{ "65535", "82:*65535", "b:*65535;", 0 },
	{ "65536", "82:*65536", "b:*65536;", 0 },
	{ "cap", "82:*70000", "b:*70000;", 0 },
	{ "above the cap", "81:a 82:*70001", "t:a;", 1009 },
	{ "cap over fragments", "02:*69999 00:y 80:z", "", 1009 },
	{ "cap met by fragments", "02:*69999 00:y 80:", "b:*69999y;", 0 },
};

/* "\xNN", "*N", "_" into bytes. */
static void add_payload(struct pl_buf *out, const char **at)
{
	while (**at != '\0' && **at != ' ' && **at != ';') {
		if ((*at)[0] == '\\') {
			char hex[3] = { (*at)[2], (*at)[3], '\0' };

			pl_buf_addc(out, (char)strtol(hex, NULL, 16));
			*at += 4;
		} else if ((*at)[0] == '*') {
			char *end;
			long n = strtol(*at + 1, &end, 10);

			memset(pl_buf_room(out, (size_t)n), 'x', (size_t)n);
			out->len += (size_t)n;
			*at = end;
		} else {
			pl_buf_addc(out, (*at)[0] == '_' ? ' ' : (*at)[0]);
			++*at;
		}
	}
}

static void add_length(struct pl_buf *out, size_t len, char form, int mask_bit)
{
	int extra = form == 'Q' || len > 0xffff ? 8 : form == 'L' || len > 125 ? 2 : 0;

	if (form == 'Q')
		extra = 8;
	pl_buf_addc(out, (char)(mask_bit | (extra == 8 ? 127 : extra == 2 ? 126 : (int)len)));
	for (int i = extra - 1; i >= 0; i--)
		pl_buf_addc(out, (char)((uint64_t)len >> (8 * i)));
}

static void build(struct pl_buf *out, const char *frames)
{
	static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	const char *at = frames;

	while (*at != '\0') {
		struct pl_buf payload = PL_BUF(NULL);
		char form = *at == '!' || *at == 'L' || *at == 'Q' ? *at++ : '-', *end;

		pl_buf_addc(out, (char)strtol(at, &end, 16));
		at = end + 1;
		add_payload(&payload, &at);
		add_length(out, payload.len, form, form == '!' ? 0 : 0x80);
		if (form != '!')
			pl_buf_add(out, mask, 4);
		for (size_t i = 0; i < payload.len; i++)
			pl_buf_addc(out, (char)(payload.ptr[i] ^ (form != '!' ? mask[i % 4] : 0)));
		pl_buf_fini(&payload);
		while (*at == ' ')
			at++;
	}
}

static void build_expected(struct pl_buf *out, const char *gives)
{
	const char *at = gives;

	pl_buf_adds(out, "");
	while (*at != '\0') {
		while (*at != ':')
			pl_buf_addc(out, *at++);
		pl_buf_addc(out, *at++);
		add_payload(out, &at);
		pl_buf_addc(out, *at++);
	}
}

static bool collect(void *arg, const struct pl_ws_msg *msg)
{
	struct pl_buf *out = arg;

	switch (msg->op) {
	case PL_WS_TEXT:
		pl_buf_adds(out, "t:");
		break;
	case PL_WS_BINARY:
		pl_buf_adds(out, "b:");
		break;
	case PL_WS_CLOSE:
		pl_buf_addf(out, "c%d:", msg->code);
		break;
	default:
		pl_buf_addf(out, "%x:", msg->op);
	}
	ck_assert_ptr_nonnull(msg->data.ptr);
	pl_buf_addstr(out, msg->data);
	pl_buf_addc(out, ';');
	return true;
}

/* Feeds bytes[0..len) in pieces: `cut` first, then `step` each. Every piece is its own allocation. */
static int feed(struct pl_ws_decoder *dec, struct pl_str bytes, size_t cut, size_t step, struct pl_buf *out)
{
	size_t at = 0, n = cut;
	int code = 0;

	while (at < bytes.len && code == 0) {
		char *piece;

		n = n < bytes.len - at ? n : bytes.len - at;
		piece = pl_new(n);
		memcpy(piece, bytes.ptr + at, n);
		code = pl_ws_feed(dec, piece, n, collect, out);
		pl_free(piece);
		at += n;
		n = step;
	}
	return code;
}

static void check_row(const struct row *row, struct pl_str bytes, struct pl_str expected, size_t cut, size_t step)
{
	struct pl_ws_decoder dec = { .max_message_bytes = MAX_MESSAGE };
	struct pl_buf out = PL_BUF(NULL);
	int code;

	pl_buf_adds(&out, "");
	code = feed(&dec, bytes, cut, step, &out);
	ck_assert_msg(code == row->code, "%s cut %zu step %zu: code %d", row->name, cut, step, code);
	ck_assert_msg(pl_str_eq(pl_buf_str(&out), expected), "%s cut %zu step %zu: %s", row->name, cut, step, out.ptr);
	/* Nothing is kept between messages. */
	if (code == 0 && strchr(row->gives, 'c') == NULL)
		ck_assert_msg(dec.partial == NULL, "%s cut %zu step %zu: memory kept", row->name, cut, step);
	pl_ws_decoder_fini(&dec);
	pl_buf_fini(&out);
}

START_TEST(table)
{
	const struct row *row = &rows[_i];
	struct pl_buf bytes = PL_BUF(NULL), expected = PL_BUF(NULL);
	struct pl_str in, want;
	size_t places;

	build(&bytes, row->frames);
	build_expected(&expected, row->gives);
	in = pl_buf_str(&bytes);
	want = pl_buf_str(&expected);
	places = in.len < 400 ? in.len : 40;
	check_row(row, in, want, in.len, in.len);
	check_row(row, in, want, 1, 1);
	for (size_t cut = 1; cut < places; cut++) {
		check_row(row, in, want, cut, in.len);
		check_row(row, in, want, cut, 3 + cut % 7);
		check_row(row, in, want, in.len - cut, 1);
	}
	pl_buf_fini(&bytes);
	pl_buf_fini(&expected);
}
END_TEST

/* The first invalid byte ends it, instead of the end of the frame or message. */
START_TEST(fail_fast)
{
	static const struct { const char *frames; size_t bytes; int code; } cases[] = {
		{ "81:ok\\xce\\xba\\xed\\xa0rest-of-the-frame", 6 + 6, 1007 },
		{ "01:ok 81:\\x80", 14, 1002 },
		{ "83:abc", 1, 1002 },
		{ "09:abc", 1, 1002 },
		{ "!81:abc", 2, 1002 },
		{ "89:*126", 2, 1002 },
		{ "82:*70001", 14, 1009 },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct pl_ws_decoder dec = { .max_message_bytes = MAX_MESSAGE };
		struct pl_buf bytes = PL_BUF(NULL), out = PL_BUF(NULL);

		build(&bytes, cases[i].frames);
		if (cases[i].bytes > 1)
			ck_assert_int_eq(feed(&dec, pl_strn(bytes.ptr, cases[i].bytes - 1), 1, 1, &out), 0);
		ck_assert_int_eq(feed(&dec, pl_strn(bytes.ptr + cases[i].bytes - 1, 1), 1, 1, &out), cases[i].code);
		pl_ws_decoder_fini(&dec);
		pl_buf_fini(&bytes);
		pl_buf_fini(&out);
	}
}
END_TEST

START_TEST(many_fragments)
{
	struct pl_ws_decoder dec = { .max_message_bytes = MAX_MESSAGE };
	struct pl_buf out = PL_BUF(NULL);
	char first[] = "\x02\x80mask", more[] = "\x00\x80mask";
	int code, n;

	ck_assert_int_eq(pl_ws_feed(&dec, first, 6, collect, &out), 0);
	for (n = 0, code = 0; code == 0 && n < 100000; n++)
		code = pl_ws_feed(&dec, more, 6, collect, &out);
	ck_assert_int_eq(code, 1009);
	ck_assert_int_lt(n, 2000);
	pl_ws_decoder_fini(&dec);
	pl_buf_fini(&out);
}
END_TEST

/* A 64-bit length with the top bit, or one that would wrap a sum. */
START_TEST(absurd_length)
{
	static const struct { const char *bytes; int code; } cases[] = {
		{ "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xffmask", 1002 },
		{ "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask", 1009 },
		{ "\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00mask", 1009 },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct pl_ws_decoder dec = { .max_message_bytes = MAX_MESSAGE };
		char bytes[14];

		memcpy(bytes, cases[i].bytes, sizeof(bytes));
		ck_assert_int_eq(pl_ws_feed(&dec, bytes, sizeof(bytes), collect, NULL), cases[i].code);
		ck_assert_ptr_null(dec.partial);
	}
}
END_TEST

struct owner {
	struct pl_ws_decoder *dec;
	int calls, last;
};

/* Frees the decoder from inside, as a closing connection does, then still reads the message. */
static bool leave(void *arg, const struct pl_ws_msg *msg)
{
	struct owner *owner = arg;

	if (++owner->calls < owner->last)
		return true;
	pl_ws_decoder_fini(owner->dec);
	pl_free(owner->dec);
	owner->dec = NULL;
	for (size_t i = 0; i < msg->data.len; i++)
		ck_assert_int_ne(msg->data.ptr[i], 0);
	return false;
}

START_TEST(owner_leaves)
{
	static const char *const cases[] = { "81:abc 81:x", "01:ab 80:c 81:x", "01:ab 89:ping 80:c",
		"88:\\x03\\xe8why 81:x" };

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		for (size_t step = 1; step < 30; step++) {
			struct owner owner = { .dec = pl_new(sizeof(*owner.dec)), .last = 1 };
			struct pl_buf bytes = PL_BUF(NULL);
			int code = 0;

			owner.dec->max_message_bytes = MAX_MESSAGE;
			build(&bytes, cases[i]);
			for (size_t at = 0; at < bytes.len && code == 0; at += step)
				code = pl_ws_feed(owner.dec, bytes.ptr + at,
				    bytes.len - at < step ? bytes.len - at : step, leave, &owner);
			ck_assert_int_eq(code, -1);
			ck_assert_int_eq(owner.calls, 1);
			pl_buf_fini(&bytes);
		}
	}
}
END_TEST

START_TEST(close_codes)
{
	static const int good[] = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999,
		4000, 4999 };
	static const int bad[] = { -1, 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 };

	for (size_t i = 0; i < PL_COUNT(good); i++)
		ck_assert_msg(pl_ws_close_code_ok(good[i]), "%d", good[i]);
	for (size_t i = 0; i < PL_COUNT(bad); i++)
		ck_assert_msg(!pl_ws_close_code_ok(bad[i]), "%d", bad[i]);
}
END_TEST

START_TEST(headers)
{
	static const struct { uint64_t bytes; size_t len; const char *header; } cases[] = {
		{ 0, 2, "\x81\x00" }, { 125, 2, "\x81\x7d" }, { 126, 4, "\x81\x7e\x00\x7e" },
		{ 65535, 4, "\x81\x7e\xff\xff" }, { 65536, 10, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00" },
		{ 0x0102030405060708, 10, "\x81\x7f\x01\x02\x03\x04\x05\x06\x07\x08" },
	};
	char out[PL_WS_HEADER_MAX];

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		ck_assert_uint_eq(pl_ws_header(out, PL_WS_TEXT, cases[i].bytes), cases[i].len);
		ck_assert_mem_eq(out, cases[i].header, cases[i].len);
	}
}
END_TEST

START_TEST(close_frames)
{
	char out[127], reason[200];

	ck_assert_uint_eq(pl_ws_close_frame(out, 1000, PL_STR("bye")), 7);
	ck_assert_mem_eq(out, "\x88\x05\x03\xe8" "bye", 7);
	ck_assert_uint_eq(pl_ws_close_frame(out, 4401, PL_STR_NONE), 4);
	ck_assert_mem_eq(out, "\x88\x02\x11\x31", 4);
	ck_assert_uint_eq(pl_ws_close_frame(out, 1005, PL_STR("not sent")), 2);
	ck_assert_mem_eq(out, "\x88\x00", 2);
	/* 122 'x' followed by characters of two bytes: a character that does not fit is left out completely. */
	memset(reason, 'x', sizeof(reason));
	memcpy(reason + 122, "\xc3\xa4\xc3\xa4", 4);
	ck_assert_uint_eq(pl_ws_close_frame(out, 1000, pl_strn(reason, 126)), 126);
	ck_assert_int_eq(out[1], 124);
	ck_assert_uint_eq(pl_ws_close_frame(out, 1000, pl_strn(reason, 122)), 126);
	ck_assert_uint_eq(pl_ws_close_frame(out, 1000, pl_strn(reason + 126, 70)), 74);
}
END_TEST

START_TEST(accept_key)
{
	char out[29];

	pl_ws_accept(PL_STR("dGhlIHNhbXBsZSBub25jZQ=="), out);	/* RFC 6455 section 1.3 */
	ck_assert_str_eq(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
END_TEST

Suite *suite_wsframe(void)
{
	Suite *suite = suite_create("wsframe");
	TCase *tc = tcase_create("wsframe");

	tcase_add_loop_test(tc, table, 0, (int)PL_COUNT(rows));
	tcase_add_test(tc, fail_fast);
	tcase_add_test(tc, many_fragments);
	tcase_add_test(tc, absurd_length);
	tcase_add_test(tc, owner_leaves);
	tcase_add_test(tc, close_codes);
	tcase_add_test(tc, headers);
	tcase_add_test(tc, close_frames);
	tcase_add_test(tc, accept_key);
	suite_add_tcase(suite, tc);
	return suite;
}
