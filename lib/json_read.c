/* SPDX-License-Identifier: ISC */
/*
 * JSON in: yajl reads the grammar, this file guards it and builds the tree.
 *
 * Two passes over the text. The first (check_text) refuses what yajl 2.1 lets through: bad UTF-8, U+0000, control
 * characters it takes for blanks, and \u escapes that are no character. The second is yajl. Between two of its
 * callbacks only blanks, commas and colons are consumed, and during one yajl_get_bytes_consumed() stands right behind
 * the token: from that come the `raw` slices.
 */
#include <yajl/yajl_parse.h>

#include <stdio.h>

#include "json.h"
#include "leaf.h"

enum {
	JSON_DEPTH_MAX = 32,
	JSON_VALUES_MAX = 4096,
	JSON_LINEAR_KEYS = 16,	/* up to here an object's keys are compared one by one */
	JSON_FIRST_SLOTS = 64,	/* a power of two */
	JSON_BLOCK_BYTES = 16
};

/* An open array or object. */
struct frame {
	struct pl_jval *value, *last;
	const struct pl_jval **slots;	/* hash of the keys, once there are many */
	size_t slots_count;
	size_t start;
};

struct reader {
	struct pl_pool *pool;
	struct pl_err *err;
	struct pl_str text;
	yajl_handle yajl;
	struct pl_jval *root;
	struct pl_str key;	/* of the value to come */
	size_t before;		/* end of the token before the current one */
	int depth, values;
	struct frame frames[JSON_DEPTH_MAX];
};

static bool refuse(struct pl_err *err, const char *why, size_t at)
{
	return pl_err_set(err, PL_E_BAD_REQUEST, "The JSON text is not valid: %s at byte %zu.", why, at);
}

static bool read_hex4(const char *at, const char *end, unsigned *value_r)
{
	unsigned char bytes[2];

	if (end - at < 4 || !pl_unhex(pl_strn(at, 4), bytes, sizeof(bytes)))
		return false;
	*value_r = (unsigned)bytes[0] << 8 | bytes[1];
	return true;
}

/*
 * A \u escape whose four digits begin at `at`. Gives how many bytes behind the 'u' belong to it, 0 when it is no
 * character. Digits that are none are left to yajl.
 */
static size_t escape_len(const char *at, const char *end)
{
	unsigned unit, low;

	if (!read_hex4(at, end, &unit))
		return 1;
	if (unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff))
		return 0;
	if (unit < 0xd800 || unit > 0xdbff)
		return 4;
	if (end - at < 10 || at[4] != '\\' || at[5] != 'u' || !read_hex4(at + 6, end, &low))
		return 0;
	return low >= 0xdc00 && low <= 0xdfff ? 10 : 0;
}

/*
 * Backslashes occur in strings only (elsewhere yajl refuses them), so pairs can be walked without knowing where
 * strings begin.
 */
static bool check_escapes(struct pl_str text, struct pl_err *err)
{
	const char *end = text.ptr + text.len, *at = text.ptr;

	while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL && end - at >= 2) {
		size_t len = 0;

		if (at[1] == 'u') {
			len = escape_len(at + 2, end);
			if (len == 0)
				return refuse(err, "a \\u escape that is not a character", (size_t)(at - text.ptr));
			len = len > (size_t)(end - at) - 2 ? (size_t)(end - at) - 2 : len;
		}
		at += 2 + len;
	}
	return true;
}

/* A fixed count without early end, so that the compiler makes one vector of it. */
static inline bool block_has_control(const char *block)
{
	unsigned any = 0;

	for (size_t i = 0; i < JSON_BLOCK_BYTES; i++)
		any |= (unsigned char)block[i] < ' ';
	return any != 0;
}

/* Raw control characters are wrong but for three blanks between tokens; within strings yajl refuses those too. */
static bool check_controls(struct pl_str text, struct pl_err *err)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c;

		while (text.len - i > JSON_BLOCK_BYTES && !block_has_control(text.ptr + i))
			i += JSON_BLOCK_BYTES;
		c = (unsigned char)text.ptr[i];
		if (c < ' ' && c != '\t' && c != '\n' && c != '\r')
			return refuse(err, "a control character", i);
	}
	return true;
}

static bool check_text(struct pl_str text, struct pl_err *err)
{
	if (text.ptr == NULL || text.len == 0)
		return pl_err_set(err, PL_E_BAD_REQUEST, "The JSON text is empty.");
	if (!check_controls(text, err))
		return false;
	if (!pl_utf8_ok(text.ptr, text.len))
		return pl_err_set(err, PL_E_BAD_REQUEST, "The JSON text is not valid UTF-8.");
	return check_escapes(text, err);
}

/* Where the current token begins. */
static size_t token_start(const struct reader *r)
{
	size_t at = r->before;

	while (at < r->text.len && memchr(" \t\n\r,:", r->text.ptr[at], 6) != NULL)
		at++;
	return at;
}

static size_t token_end(const struct reader *r)
{
	return yajl_get_bytes_consumed(r->yajl);
}

/* yajl hands out its own buffer for a string with escapes: only then a copy is needed. */
static struct pl_str keep_text(const struct reader *r, const unsigned char *text, size_t len)
{
	uintptr_t at = (uintptr_t)text, from = (uintptr_t)r->text.ptr;

	if (len == 0)
		return PL_STR("");
	if (at >= from && at - from < r->text.len)
		return pl_strn((const char *)text, len);
	return pl_strn(pl_strndup(r->pool, (const char *)text, len), len);
}

/* Adds a value to what is open; NULL when there are too many. */
static struct pl_jval *add_value(struct reader *r, enum pl_jtype type)
{
	struct frame *frame = r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
	struct pl_jval *value;

	if (r->values == JSON_VALUES_MAX) {
		refuse(r->err, "more than 4096 values", token_start(r));
		return NULL;
	}
	r->values++;
	value = pl_alloc(r->pool, sizeof(*value));
	value->type = type;
	if (frame == NULL) {
		r->root = value;
		return value;
	}
	value->key = r->key;
	r->key = PL_STR_NONE;
	if (frame->last != NULL)
		frame->last->next = value;
	else
		frame->value->first = value;
	frame->last = value;
	frame->value->count++;
	return value;
}

/* A value that is one token. */
static struct pl_jval *add_scalar(struct reader *r, enum pl_jtype type)
{
	struct pl_jval *value = add_value(r, type);
	size_t start = token_start(r), end = token_end(r);

	/* A lone number at the very end is completed by yajl in a buffer of its own: it has no position. */
	if (value != NULL && r->depth > 0)
		value->raw = pl_strn(r->text.ptr + start, end - start);
	r->before = end;
	return value;
}

static int on_null(void *arg)
{
	return add_scalar(arg, PL_J_NULL) != NULL;
}

static int on_bool(void *arg, int truth)
{
	struct pl_jval *value = add_scalar(arg, PL_J_BOOL);

	if (value != NULL)
		value->truth = truth != 0;
	return value != NULL;
}

static int on_number(void *arg, const char *text, size_t len)
{
	struct pl_jval *value = add_scalar(arg, PL_J_NUMBER);

	if (value != NULL)
		value->text = keep_text(arg, (const unsigned char *)text, len);
	return value != NULL;
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
	struct pl_jval *value = add_scalar(arg, PL_J_STRING);

	if (value != NULL)
		value->text = keep_text(arg, text, len);
	return value != NULL;
}

static int start_container(struct reader *r, enum pl_jtype type)
{
	size_t start = token_start(r);
	struct pl_jval *value;

	if (r->depth == JSON_DEPTH_MAX)
		return refuse(r->err, "nested deeper than 32", start);
	value = add_value(r, type);
	if (value == NULL)
		return 0;
	r->frames[r->depth++] = (struct frame){ .value = value, .start = start };
	r->before = token_end(r);
	return 1;
}

static int on_start_object(void *arg)
{
	return start_container(arg, PL_J_OBJECT);
}

static int on_start_array(void *arg)
{
	return start_container(arg, PL_J_ARRAY);
}

static int on_end(void *arg)
{
	struct reader *r = arg;
	struct frame *frame = &r->frames[--r->depth];

	r->before = token_end(r);
	frame->value->raw = pl_strn(r->text.ptr + frame->start, r->before - frame->start);
	return 1;
}

/* Keyed per process: nobody outside can make keys collide. */
static size_t key_hash(struct pl_str key)
{
	static struct pl_sipkey secret;

	if (secret.k[0] == 0)
		pl_random(&secret, sizeof(secret));
	return (size_t)pl_siphash(&secret, key.ptr, key.len);
}

/* The slot that holds `key` or the free one where it belongs. */
static const struct pl_jval **find_slot(const struct frame *frame, struct pl_str key)
{
	size_t at = key_hash(key);

	while (frame->slots[at & (frame->slots_count - 1)] != NULL) {
		if (pl_str_eq(frame->slots[at & (frame->slots_count - 1)]->key, key))
			break;
		at++;
	}
	return &frame->slots[at & (frame->slots_count - 1)];
}

/* Makes the table of keys, or doubles it when it is half full; enters all children anew. */
static void grow_slots(struct reader *r, struct frame *frame)
{
	frame->slots_count = frame->slots_count > 0 ? 2 * frame->slots_count : JSON_FIRST_SLOTS;
	frame->slots = pl_alloc(r->pool, frame->slots_count * sizeof(*frame->slots));
	for (const struct pl_jval *child = frame->value->first; child != NULL; child = child->next)
		*find_slot(frame, child->key) = child;
}

static bool has_key(struct reader *r, struct frame *frame, struct pl_str key)
{
	size_t count = (size_t)frame->value->count;

	if (count > JSON_LINEAR_KEYS) {
		/* The last child became known after its key was looked up. */
		if (count * 2 > frame->slots_count)
			grow_slots(r, frame);
		else
			*find_slot(frame, frame->last->key) = frame->last;
		return *find_slot(frame, key) != NULL;
	}
	for (const struct pl_jval *child = frame->value->first; child != NULL; child = child->next) {
		if (pl_str_eq(child->key, key))
			return true;
	}
	return false;
}

static int on_key(void *arg, const unsigned char *text, size_t len)
{
	struct reader *r = arg;

	r->key = keep_text(r, text, len);
	if (has_key(r, &r->frames[r->depth - 1], r->key))
		return refuse(r->err, "a key that occurs twice in one object", token_start(r));
	r->before = token_end(r);
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end,
};

static void *take_memory(void *ctx, size_t bytes)
{
	return pl_new(bytes);
}

static void *resize_memory(void *ctx, void *old, size_t bytes)
{
	return pl_realloc(old, bytes);
}

static void give_memory(void *ctx, void *ptr)
{
	pl_free(ptr);
}

/* yajl's own sentence, "lexical error: invalid char in json text.\n", without its end. */
static bool refuse_grammar(struct reader *r)
{
	unsigned char *text = yajl_get_error(r->yajl, 0, NULL, 0);
	size_t len = strcspn((const char *)text, "\n");
	char why[128];

	while (len > 0 && text[len - 1] == '.')
		len--;
	snprintf(why, sizeof(why), "%.*s", (int)(len < sizeof(why) ? len : sizeof(why) - 1), (const char *)text);
	yajl_free_error(r->yajl, text);
	return refuse(r->err, why, r->before);
}

/*
 * yajl takes an unfinished token behind the value (`1 "x`) for the end of the text. A value that is not there before
 * the end was announced is a number that reaches up to the end.
 */
static bool check_rest(const struct reader *r, bool at_end)
{
	size_t at = at_end ? r->text.len : r->before;

	while (at < r->text.len && memchr(" \t\n\r", r->text.ptr[at], 4) != NULL)
		at++;
	return at == r->text.len || refuse(r->err, "text after the value", at);
}

static bool run_yajl(struct reader *r)
{
	yajl_alloc_funcs memory = { .malloc = take_memory, .realloc = resize_memory, .free = give_memory };
	yajl_status status;
	bool at_end;

	r->yajl = yajl_alloc(&callbacks, &memory, r);
	PL_BUG(r->yajl == NULL);
	yajl_config(r->yajl, yajl_dont_validate_strings, 1);	/* done by check_text(), and strictly */
	status = yajl_parse(r->yajl, (const unsigned char *)r->text.ptr, r->text.len);
	at_end = r->root == NULL;
	if (status == yajl_status_ok)
		status = yajl_complete_parse(r->yajl);
	if (status == yajl_status_error)
		refuse_grammar(r);
	yajl_free(r->yajl);
	if (status != yajl_status_ok)
		return false;
	return r->root != NULL ? check_rest(r, at_end) : refuse(r->err, "no value", 0);
}

const struct pl_jval *pl_json_parse(struct pl_pool *pool, struct pl_str text, struct pl_err *err)
{
	struct reader r;	/* frames are filled when they open */
	size_t end = text.len;

	if (!check_text(text, err))
		return NULL;
	r.pool = pool;
	r.err = err;
	r.text = text;
	r.root = NULL;
	r.key = PL_STR_NONE;
	r.before = 0;
	r.depth = r.values = 0;
	if (!run_yajl(&r))
		return NULL;
	r.before = 0;
	while (memchr(" \t\n\r", text.ptr[end - 1], 4) != NULL)
		end--;
	r.root->raw = pl_strn(text.ptr + token_start(&r), end - token_start(&r));
	return r.root;
}

const struct pl_jval *pl_json_get(const struct pl_jval *object, const char *key)
{
	if (object == NULL || object->type != PL_J_OBJECT)
		return NULL;
	for (const struct pl_jval *child = object->first; child != NULL; child = child->next) {
		if (pl_str_is(child->key, key))
			return child;
	}
	return NULL;
}

struct pl_str pl_json_str(const struct pl_jval *value)
{
	return value != NULL && value->type == PL_J_STRING ? value->text : PL_STR_NONE;
}
