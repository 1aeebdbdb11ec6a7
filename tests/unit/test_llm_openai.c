/* SPDX-License-Identifier: ISC */
/*
 * OpenAI dialect: streams in the forms that servers send, cut at every byte; whole completions; errors; requests; model
 * lists.
 *
 * In the tables ' replaces ", so that JSON is readable.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>

#include "llm/llm_dialect.h"

#define FFFD "\xef\xbf\xbd"
#define SMILE "\xf0\x9f\x98\x80"

static char *with_quotes(const char *text)
{
	size_t len = strlen(text);
	char *copy = memcpy(pl_new(len + 1), text, len);

	for (size_t i = 0; i < len; i++) {
		if (copy[i] == '\'')
			copy[i] = '"';
	}
	return copy;
}

struct heard { struct pl_buf text; int pieces, stop_after; };

static bool on_text(void *arg, struct pl_str text)
{
	struct heard *heard = arg;

	ck_assert_uint_gt(text.len, 0);
	ck_assert(pl_utf8_ok(text.ptr, text.len));
	pl_buf_addstr(&heard->text, text);
	heard->pieces++;
	return heard->stop_after == 0 || heard->pieces < heard->stop_after;
}

/* Defaults of a row: a complete answer, no text, reason stop, no usage, no model. */
struct stream_case {
	const char *what, *bytes, *text, *model, *thought;
	enum llm_stop stop;
	enum pl_code code;
	bool no_reason, permanent;
	int64_t prompt, completion;	/* -1 unknown; 0 0 in the table also means that */
	int error_status;
};

#define EVENT(json) "data: " json "\n\n"
#define CHUNK(delta, finish) \
	EVENT("{'model':'m','choices':[{'index':0,'delta':" delta ",'finish_reason':" finish "}],'usage':null}")
#define SAY(text) CHUNK("{'content':'" text "'}", "null")
#define STOP(word) CHUNK("{}", "'" word "'")
#define USAGE(total) "'usage':{'prompt_tokens':9,'completion_tokens':2,'total_tokens':" total "}"
#define DONE "data: [DONE]\n\n"

static const struct stream_case streams[] = {
	{ .what = "plain",
	  .bytes = CHUNK("{'role':'assistant','content':''}", "null") SAY("Hi") SAY(" you") STOP("stop")
	    EVENT("{'choices':[]," USAGE("11") "}") DONE,
	  .text = "Hi you", .model = "m", .prompt = 9, .completion = 2 },
	{ .what = "CRLF, comments, byte order mark", .bytes = "\xef\xbb\xbf: OPENROUTER PROCESSING\r\n\r\n"
	    "data: {'choices':[{'delta':{'content':'\xc3\xa9" SMILE "'},'finish_reason':'length'}]}\r\n\r\n"
	    "data:[DONE]\r\n\r\n",
	  .text = "\xc3\xa9" SMILE, .stop = LLM_STOP_LENGTH },
	{ .what = "CR only, data in two lines",
	  .bytes = "data: {'choices':[{'delta':{'content':'a'},\rdata: 'finish_reason':'stop'}]}\r\rdata: [DONE]\r\r",
	  .text = "a" },
	{ .what = "no end marker but a reason", .bytes = SAY("a") STOP("content_filter"),
	  .text = "a", .model = "m", .stop = LLM_STOP_FILTER },
	{ .what = "end marker but no reason", .bytes = SAY("a") DONE,
	  .text = "a", .model = "m", .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM_CUT },
	{ .what = "reasons in capitals", .bytes = SAY("a") STOP("MAX_TOKENS") DONE,
	  .text = "a", .model = "m", .stop = LLM_STOP_LENGTH },
	{ .what = "nothing said", .bytes = STOP("stop") DONE, .model = "m", .code = PL_E_UPSTREAM },
	{ .what = "nothing said, for a reason nobody knows", .bytes = STOP("odd") DONE, .model = "m",
	  .stop = LLM_STOP_OTHER, .code = PL_E_UPSTREAM },
	{ .what = "nothing said: filter", .bytes = STOP("SAFETY") DONE, .model = "m", .stop = LLM_STOP_FILTER,
	  .code = PL_E_UPSTREAM, .permanent = true },
	{ .what = "nothing said: all tokens went into thinking",
	  .bytes = CHUNK("{'reasoning_content':'hm'}", "null") STOP("length") DONE, .model = "m", .thought = "hm",
	  .stop = LLM_STOP_LENGTH, .code = PL_E_UPSTREAM, .permanent = true },
	{ .what = "llama-server's error line",
	  .bytes = SAY("a") "error: {'code':500,'message':'out of slots'}\n\n" DONE,
	  .text = "a", .model = "m", .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM,
	  .error_status = 500 },
	{ .what = "error as an array (Gemini)", .bytes = EVENT("[{'error':{'code':429,'message':'quota'}}]"),
	  .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM, .error_status = 429 },
	{ .what = "usage behind the end marker, as 9.0 (Gemini)", .bytes = SAY("a") STOP("STOP") DONE
	  EVENT("{'choices':[],'usage':{'prompt_tokens':9.0,'completion_tokens':2.0,'total_tokens':11.0}}"),
	  .text = "a", .model = "m", .prompt = 9, .completion = 2 },
	{ .what = "neither", .bytes = SAY("a"),
	  .text = "a", .model = "m", .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM_CUT },
	{ .what = "cut inside an event", .bytes = SAY("a") "data: {'choices':[{'del",
	  .text = "a", .model = "m", .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM_CUT },
	{ .what = "unknown reason, then null again", .bytes = SAY("a") STOP("tool_calls") CHUNK("{}", "null") DONE,
	  .text = "a", .model = "m", .stop = LLM_STOP_OTHER },
	{ .what = "usage next to choices",
	  .bytes = EVENT("{'choices':[{'delta':{'content':'a'},'finish_reason':'stop'}]," USAGE("11") "}") DONE,
	  .text = "a", .prompt = 9, .completion = 2 },
	{ .what = "x_groq usage", .bytes = SAY("a") STOP("stop") EVENT("{'x_groq':{" USAGE("11") "}}") DONE,
	  .text = "a", .model = "m", .prompt = 9, .completion = 2 },
	{ .what = "xAI: reasoning only in the total",
	  .bytes = SAY("a") STOP("stop") EVENT("{'choices':[]," USAGE("351") "}") DONE,
	  .text = "a", .model = "m", .prompt = 9, .completion = 342 },
	{ .what = "list of parts",
	  .bytes = CHUNK("{'content':[{'type':'thinking','thinking':[{'type':'text','text':'no'}]},"
	    "{'type':'text','text':'a'},{'type':'text','text':'b'}]}", "'stop'") DONE, .text = "ab", .model = "m",
	  .thought = "no" },
	{ .what = "reasoning is no text",
	  .bytes = CHUNK("{'reasoning_content':'hm'}", "null") SAY("a") STOP("stop") DONE,
	  .text = "a", .model = "m", .thought = "hm" },
	{ .what = "reasoning under both names (proxies)",
	  .bytes = CHUNK("{'reasoning_content':'hm','reasoning':'hm'}", "null") SAY("a") STOP("stop") DONE,
	  .text = "a", .model = "m", .thought = "hm" },
	{ .what = "thinking in the text", .bytes = SAY("<think>Let me\\n") SAY("see</think>\\n\\nHi") STOP("stop") DONE,
	  .text = "Hi", .model = "m", .thought = "Let me\nsee" },
	{ .what = "thinking in the text, tags in pieces", .bytes = SAY("\\n<th") SAY("ink>a<") SAY("b</th") SAY("ink")
	    SAY("> ") SAY("x < y</think>") STOP("stop") DONE,
	  .text = "x < y</think>", .model = "m", .thought = "a<b" },
	{ .what = "two thoughts", .bytes = SAY("[THINK]a[/THINK] <thinking>b</thinking>Hi") STOP("stop") DONE,
	  .text = "Hi", .model = "m", .thought = "ab" },
	{ .what = "a tag later on is text", .bytes = SAY("Use <think>like this</think>.") STOP("stop") DONE,
	  .text = "Use <think>like this</think>.", .model = "m" },
	{ .what = "what only begins like a tag", .bytes = SAY(" <thi") SAY("s>") STOP("stop") DONE,
	  .text = " <this>", .model = "m" },
	{ .what = "half a tag is the answer", .bytes = SAY("<") STOP("stop") DONE, .text = "<", .model = "m" },
	{ .what = "nothing but thinking", .bytes = SAY("<think>a") STOP("length") DONE, .model = "m", .thought = "a",
	  .stop = LLM_STOP_LENGTH, .code = PL_E_UPSTREAM, .permanent = true },
	{ .what = "thinking in a whole completion",
	  .bytes = "{'choices':[{'message':{'content':'<think>a</think>Hi','reasoning_content':'b'},"
	    "'finish_reason':'stop'}]}", .text = "Hi", .thought = "ba" },
	{ .what = "surrogate pair in two deltas", .bytes = SAY("a\\ud83d") SAY("\\ude00b") STOP("stop") DONE,
	  .text = "a" SMILE "b", .model = "m" },
	{ .what = "halves that belong to nothing", .bytes = SAY("\\ud83d") SAY("b\\ude00") SAY("\\ud83d\\ud83d")
	    SAY("\\ude00") STOP("stop") DONE, .text = FFFD "b" FFFD FFFD SMILE, .model = "m" },
	{ .what = "the last half is missing", .bytes = SAY("a\\ud83d") STOP("stop") DONE,
	  .text = "a" FFFD, .model = "m" },
	{ .what = "bytes of a character in several deltas", .bytes = SAY("a\xf0\x9f") SAY("\x98") SAY("\x80" "b")
	    SAY("\xc3") SAY("\xa9") STOP("stop") DONE, .text = "a" SMILE "b\xc3\xa9", .model = "m" },
	{ .what = "bytes that do not go together", .bytes = SAY("\xe2\x82") SAY("\xe2\x82\xac") SAY("\xf0") SAY("x")
	    STOP("stop") DONE, .text = FFFD "\xe2\x82\xac" FFFD "x", .model = "m" },
	{ .what = "halves in a thought", .bytes = CHUNK("{'reasoning':'\\ud83d'}", "null")
	    CHUNK("{'reasoning':'\\ude00','content':'\\ud83d'}", "null") SAY("\\ude00") STOP("stop") DONE,
	  .text = SMILE, .thought = SMILE, .model = "m" },
	{ .what = "private characters stay what they are", .bytes = SAY("\xf4\x8f\xa0\xbd") STOP("stop") DONE,
	  .text = "\xf4\x8f\xa0\xbd", .model = "m" },
	{ .what = "another choice",
	  .bytes = EVENT("{'choices':[{'index':1,'delta':{'content':'b'},'finish_reason':'length'},"
	    "{'index':0,'delta':{'content':'a'},'finish_reason':'stop'}]}") DONE, .text = "a" },
	{ .what = "empty first chunk (Azure)",
	  .bytes = EVENT("{'id':'','model':'','choices':[],'prompt_filter_results':[]}") SAY("a") STOP("stop") DONE,
	  .text = "a", .model = "m" },
	{ .what = "refusal", .bytes = CHUNK("{'refusal':'I will not.'}", "'stop'") DONE,
	  .text = "I will not.", .model = "m" },
	{ .what = "NUL, surrogates", .bytes = SAY("a\\u0000\\ud83d\\ude00\\ud83dx\\ude00\\\\u0000") STOP("stop") DONE,
	  .text = "a" FFFD SMILE FFFD "x" FFFD "\\u0000", .model = "m" },
	{ .what = "broken UTF-8", .bytes = SAY("a\xff\xc3(\xe2\x82") STOP("stop") DONE,
	  .text = "a" FFFD FFFD "(" FFFD, .model = "m" },
	{ .what = "error next to choices", .bytes = SAY("a")
	    EVENT("{'error':{'code':502,'message':'gone'},'choices':[{'delta':{'content':'no'}}],'usage':{}}") DONE,
	  .text = "a", .model = "m", .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM,
	  .error_status = 502 },
	{ .what = "error as a word", .bytes = EVENT("{'error':'overloaded'}"),
	  .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM },
	{ .what = "flat error", .bytes = EVENT("{'object':'error','message':'no','code':400}"),
	  .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM, .error_status = 400, .permanent = true },
	{ .what = "error null is none",
	  .bytes = EVENT("{'error':null,'choices':[{'delta':{'content':'a'},'finish_reason':'stop'}]}") DONE,
	  .text = "a" },
	{ .what = "finish_reason error", .bytes = CHUNK("{'content':'a'}", "'error'") DONE,
	  .text = "a", .model = "m", .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM },
	{ .what = "no credit", .bytes = EVENT("{'error':{'message':'m','type':'insufficient_quota','code':null}}"),
	  .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM, .permanent = true },
	{ .what = "broken JSON", .bytes = SAY("a") EVENT("{'choices':"), .text = "a", .model = "m",
	  .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM, .permanent = true },
	{ .what = "JSON, but no object", .bytes = EVENT("17"),
	  .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM, .permanent = true },
	{ .what = "after the end marker", .bytes = SAY("a") STOP("stop") DONE EVENT("rubbish"),
	  .text = "a", .model = "m" },
	{ .what = "web page", .bytes = "\n <html>",
	  .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM, .permanent = true },
	{ .what = "something", .bytes = "Bad Gateway",
	  .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM, .permanent = true },
	{ .what = "nothing", .bytes = "", .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM_CUT },
	{ .what = "whole completion",
	  .bytes = "{'model':'m-2','choices':[{'index':0,'message':{'role':'assistant','content':'Hi','refusal':null},"
	    "'finish_reason':'stop'}]," USAGE("11") "}", .text = "Hi", .model = "m-2", .prompt = 9, .completion = 2 },
	{ .what = "whole completion that does not say why it ends",
	  .bytes = "{'choices':[{'message':{'role':'assistant','content':'Hi'}}]}", .text = "Hi",
	  .stop = LLM_STOP_OTHER, .no_reason = true },
	{ .what = "whole completion, cut", .bytes = "{'model':'m-2','choices':[{'index':0",
	  .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM, .permanent = true },
	{ .what = "error with status 200", .bytes = "{'error':{'message':'no','code':'rate_limit'}}",
	  .stop = LLM_STOP_OTHER, .no_reason = true, .code = PL_E_UPSTREAM },
};

static void check_outcome(const struct stream_case *c, const struct llm_decoder *dec, const struct heard *heard,
    size_t at)
{
	enum pl_code code = dec->failed ? dec->err.code : PL_E_OK;
	int64_t prompt = c->completion > 0 ? c->prompt : -1, completion = c->completion > 0 ? c->completion : -1;
	const char *text = c->text != NULL ? c->text : "", *model = c->model != NULL ? c->model : "";
	const char *thought = c->thought != NULL ? c->thought : "";

	ck_assert_msg(code == c->code, "%s, cut at %zu: code %d (%s)", c->what, at, (int)code, dec->err.detail);
	ck_assert_msg(pl_str_is(pl_buf_str(&heard->text), text), "%s, cut at %zu: %s", c->what, at, heard->text.ptr);
	ck_assert_msg(pl_str_is(pl_buf_str(&dec->thought), thought), "%s, cut at %zu: thought", c->what, at);
	ck_assert_msg(dec->stop == c->stop && dec->finished == !c->no_reason, "%s, cut at %zu: stop", c->what, at);
	ck_assert_msg(dec->prompt_tokens == prompt && dec->completion_tokens == completion, "%s: usage", c->what);
	ck_assert_msg(strcmp(dec->model, model) == 0, "%s: model %s", c->what, dec->model);
	ck_assert_msg(dec->error_status == c->error_status, "%s: status %d", c->what, dec->error_status);
	ck_assert_msg(dec->permanent == c->permanent, "%s: permanent", c->what);
}

/* Feeds `step` bytes at a time after the first `at`. */
static void run_stream(const struct stream_case *c, const char *bytes, size_t at, size_t step)
{
	struct heard heard = { .pieces = 0 };
	struct llm_decoder dec;
	size_t len = strlen(bytes), first = at;
	bool more;

	llm_dec_init(&dec, &llm_openai, PL_STR_NONE, on_text, &heard);
	more = llm_dec_feed(&dec, bytes, at);
	for (; more && at < len; at += step)
		more = llm_dec_feed(&dec, bytes + at, step < len - at ? step : len - at);
	llm_dec_end(&dec);
	check_outcome(c, &dec, &heard, first);
	llm_dec_fini(&dec);
	pl_buf_fini(&heard.text);
}

START_TEST(test_stream)
{
	const struct stream_case *c = &streams[_i];
	char *bytes = with_quotes(c->bytes);
	size_t len = strlen(bytes);

	for (size_t at = 0; at <= len; at++)
		run_stream(c, bytes, at, len + 1);
	run_stream(c, bytes, 0, 1);
	run_stream(c, bytes, 0, 7);
	pl_free(bytes);
}
END_TEST

START_TEST(test_stop_by_reader)
{
	struct heard heard = { .stop_after = 1 };
	struct llm_decoder dec;
	char *bytes = with_quotes(SAY("a") SAY("b"));

	llm_dec_init(&dec, &llm_openai, PL_STR_NONE, on_text, &heard);
	ck_assert(!llm_dec_feed(&dec, bytes, strlen(bytes)));
	ck_assert(!dec.failed);
	ck_assert_int_eq(heard.pieces, 1);
	llm_dec_fini(&dec);
	pl_buf_fini(&heard.text);
	pl_free(bytes);
}
END_TEST

/* A line, or a whole reply, without an end: both stop, whatever the pieces; later where answers may be long. */
START_TEST(test_caps)
{
	static const char *const starts[] = { "data: {\"x\":\"", "{\"x\":\"" };
	size_t fed = 0, most = _i < 2 ? LLM_EVENT_MAX : LLM_EVENT_MAX + 6 * 1000000;
	char slice[4096];
	struct llm_decoder dec;

	memset(slice, 'a', sizeof(slice));
	llm_dec_init(&dec, &llm_openai, PL_STR_NONE, on_text, NULL);
	if (_i >= 2)
		llm_dec_allow(&dec, 1000000);
	ck_assert(llm_dec_feed(&dec, starts[_i % 2], strlen(starts[_i % 2])));
	while (fed < 2 * most && llm_dec_feed(&dec, slice, sizeof(slice)))
		fed += sizeof(slice);
	ck_assert(dec.failed && dec.permanent);
	ck_assert_int_eq(dec.err.code, PL_E_UPSTREAM);
	ck_assert_uint_le(fed, most);
	ck_assert_uint_ge(fed, most - 2 * sizeof(slice));
	llm_dec_fini(&dec);
}
END_TEST

static const struct refusal_case {
	int status;
	const char *body, *says, *hides;
	bool again;
} refusals[] = {
	{ 401, "{'error':{'message':'Incorrect API key provided: sk-1'}}", "refused our key", "sk-1", false },
	{ 403, "", "refused our key", NULL, false },
	{ 400, "{'error':{'message':'too long\\nby far','code':null}}", "400: too long by far", NULL, false },
	{ 400, "{'error':{'message':'your key sk-key is odd'}}", "status 400.", "sk-key", false },
	{ 400, "{'error':{'message':'header Authorization: Bearer abc'}}", "status 400.", "abc", false },
	{ 403, "{'error':{'message':'subscription first-and-last is over'}}", "refused our key.", "first-and", false },
	{ 403, "{'error':{'message':'subscription first-an*** is over'}}", "refused our key.", "first-an", false },
	{ 400, "{'error':{'message':'no short header'}}", "400: no short header", NULL, false },
	{ 403, "{'error':{'message':'flagged by moderation'}}", "refused our key: flagged by moderation", NULL, false },
	{ 402, "{'error':{'message':'pay'}}", "402: pay", NULL, false },
	{ 404, "<html>", "status 404.", "html", false },
	{ 408, "", "408", NULL, true },
	{ 409, "", "409", NULL, true },
	{ 429, "{'error':{'message':'slow down','type':'tokens'}}", "429): slow down", NULL, true },
	{ 429, "{'error':{'message':'m','code':'insufficient_quota'}}", "429", NULL, false },
	{ 500, "{'error':'oops'}", "500: oops", NULL, true },
	{ 503, "{'object':'error','message':'Loading model'}", "503: Loading model", NULL, true },
	{ 302, "", "does not follow redirects", NULL, false },
	{ 500, "[1", "500", NULL, true },
	{ 400, "[{'error':{'code':400,'message':'no such model'}}]", "400: no such model", NULL, false },
};

START_TEST(test_refusal)
{
	const struct refusal_case *c = &refusals[_i];
	bool is_auth = c->status == 401 || c->status == 403;
	char *body = with_quotes(c->body);
	struct llm_decoder dec;

	llm_dec_init(&dec, &llm_openai, PL_STR("sk-key"), on_text, NULL);
	dec.headers = PL_STR("X-Kind: short\nX-Subscription: first-and-last");
	llm_dec_refused(&dec, c->status, pl_str(body));
	ck_assert(dec.failed);
	ck_assert_int_eq(dec.err.code, is_auth ? PL_E_UPSTREAM_AUTH : PL_E_UPSTREAM);
	ck_assert_int_eq(dec.error_status, c->status);
	ck_assert_int_eq(dec.permanent, !c->again);
	ck_assert_msg(strstr(pl_err_text(&dec.err), c->says) != NULL, "%s", pl_err_text(&dec.err));
	ck_assert_msg(c->hides == NULL || strstr(pl_err_text(&dec.err), c->hides) == NULL, "%s", pl_err_text(&dec.err));
	llm_dec_fini(&dec);
	pl_free(body);
}
END_TEST

static void check_encoding(const struct llm_request *request, unsigned without, const char *want)
{
	struct pl_buf body = PL_BUF(NULL);
	struct pl_jw w = PL_JW(&body);
	char *text = with_quotes(want);

	llm_openai_encode(request, &w);
	llm_openai_options(request, without, &w);
	ck_assert_str_eq(body.ptr, text);
	pl_buf_fini(&body);
	pl_free(text);
}

START_TEST(test_encode)
{
	const struct upstream_settings plain = { .model = "m-1", .parameter = "" };
	const struct upstream_settings full = { .model = "m-1", .include_usage = true, .parameter = "",
		.max_tokens_field = MAX_TOKENS_NEW };
	const struct upstream_settings more = { .model = "m-1",
		.parameter = "top_p: 0.9\nprovider : {\"order\":[\"a: b\"]}" };
	const struct upstream_settings format = { .model = "m-1", .parameter = "response_format: {\"type\":\"text\"}" };
	const struct llm_message messages[] = {
		{ LLM_USER, PL_STR("alice"), PL_STR("Hi \"you\"\n") },
		{ LLM_ASSISTANT, PL_STR("guide"), PL_STR("Yes?") },
		{ LLM_USER, PL_STR_NONE, PL_STR(SMILE) },
		{ LLM_USER, PL_STR("bob"), PL_STR("Me too") },
	};
	struct llm_request request = { .upstream = &plain, .temperature = NAN };

	check_encoding(&request, 0, "{'model':'m-1','messages':[],'stream':true}");
	request = (struct llm_request){ .upstream = &full, .model = PL_STR("m-2"), .system = PL_STR("Be kind."),
		.messages = messages, .messages_count = PL_COUNT(messages), .temperature = 0.5, .max_tokens = 64 };
	check_encoding(&request, 0, "{'model':'m-2','messages':[{'role':'system','content':'Be kind.'},"
	    "{'role':'user','content':'alice: Hi \\'you\\'\\n'},{'role':'assistant','content':'Yes?'},"
	    "{'role':'user','content':'" SMILE "\\n\\nbob: Me too'}],"
	    "'temperature':0.5,'max_completion_tokens':64,'stream':true,"
	    "'stream_options':{'include_usage':true}}");
	request.messages_count = 0;
	request.system = PL_STR_NONE;
	request.upstream = &more;
	check_encoding(&request, LLM_WITHOUT_TEMPERATURE, "{'model':'m-2','messages':[],'max_tokens':64,'stream':true,"
	    "'top_p':0.9,'provider':{'order':['a: b']}}");
	request.upstream = &full;
	check_encoding(&request, LLM_WITHOUT_TEMPERATURE | LLM_OTHER_MAX_TOKENS | LLM_WITHOUT_STREAM_OPTIONS,
	    "{'model':'m-2','messages':[],'max_tokens':64,'stream':true}");
	request = (struct llm_request){ .upstream = &plain, .temperature = NAN,
		.schema = PL_STR("{\"type\":\"object\"}") };
	check_encoding(&request, 0, "{'model':'m-1','messages':[],'stream':true,"
	    "'response_format':{'type':'json_schema','json_schema':{'name':'answer','schema':{'type':'object'}}}}");
	check_encoding(&request, LLM_WITHOUT_SCHEMA, "{'model':'m-1','messages':[],'stream':true}");
	request.upstream = &format;
	check_encoding(&request, 0, "{'model':'m-1','messages':[],'stream':true,'response_format':{'type':'text'}}");
}
END_TEST

static const struct option_case { const char *body; int status; unsigned without, option; bool sure; } options[] = {
	{ "{'error':{'message':'Unsupported value: temperature does not support 0','param':'temperature',"
	    "'code':'unsupported_value'}}", 400, 0, LLM_WITHOUT_TEMPERATURE, true },
	{ "{'error':{'message':'temperature'}}", 400, LLM_WITHOUT_TEMPERATURE, 0, false },
	{ "{'detail':[{'type':'extra_forbidden','loc':['body','temperature']}]}", 422, 0,
	    LLM_WITHOUT_TEMPERATURE, true },
	{ "{'error':{'message':'temperature'}}", 500, 0, 0, false },
	{ "{'error':{'message':'`temperature` is deprecated for this model.'}}", 400, 0,
	    LLM_WITHOUT_TEMPERATURE, true },
	{ "{'error':{'message':'invalid temperature: only 1 is allowed for this model'}}", 400, 0,
	    LLM_WITHOUT_TEMPERATURE, true },
	{ "{'error':{'message':'Unknown name temperature: Cannot find field.'}}", 400, 0,
	    LLM_WITHOUT_TEMPERATURE, true },
	/* a value is wrong, or the request is quoted */
	{ "{'error':{'message':'temperature must be between 0 and 1'}}", 400, 0, LLM_WITHOUT_TEMPERATURE, false },
	{ "{'detail':[{'type':'less_than_equal','loc':['body','temperature'],'msg':'Input should be less than or equal "
	    "to 1'}]}", 422, 0, LLM_WITHOUT_TEMPERATURE, false },
	{ "{'error':{'message':'This model is not supported'},'request':{'model':'m','temperature':0.5}}", 400, 0,
	    LLM_WITHOUT_TEMPERATURE, false },
	{ "{'error':{'message':'Unsupported parameter: max_tokens. Use max_completion_tokens instead.'}}", 400, 0,
	    LLM_OTHER_MAX_TOKENS, true },
	{ "{'detail':[{'loc':['body','max_completion_tokens']}]}", 422, 0, LLM_OTHER_MAX_TOKENS, false },
	{ "{'error':{'message':'max_tokens is too large: 64'}}", 400, 0, 0, false },
	{ "{'error':{'message':'unknown field stream_options'}}", 400, 0, LLM_WITHOUT_STREAM_OPTIONS, true },
	{ "{'error':{'message':'unknown field response_format'}}", 400, 0, LLM_WITHOUT_SCHEMA, true },
	{ "{'error':{'message':'json_schema is not supported by this model'}}", 400, 0, LLM_WITHOUT_SCHEMA, true },
	{ "{'error':{'message':'response_format.type: json_object or text'}}", 422, 0, LLM_WITHOUT_SCHEMA, false },
	{ "{'error':{'message':'unknown field response_format'}}", 400, LLM_WITHOUT_SCHEMA, 0, false },
	{ "{'error':{'message':'no such model'}}", 400, 0, 0, false },
	{ "", 400, 0, 0, false },
};

START_TEST(test_refused_options)
{
	const struct upstream_settings upstream = { .include_usage = true };
	const struct llm_request request = { .upstream = &upstream, .temperature = 0, .max_tokens = 64,
		.schema = PL_STR("{}") };
	const struct llm_request plain = { .upstream = &upstream, .temperature = (double)NAN };
	const struct option_case *c = &options[_i];
	bool sure;

	ck_assert_uint_eq(llm_refused_options(&request, c->without, c->status, pl_str(c->body), &sure), c->option);
	ck_assert_int_eq(sure, c->sure);
	if (c->option != LLM_WITHOUT_STREAM_OPTIONS)	/* they were not sent */
		ck_assert_uint_eq(llm_refused_options(&plain, c->without, c->status, pl_str(c->body), &sure), 0);
}
END_TEST

static const struct models_case { const char *body, *names; int count; } model_lists[] = {
	{ "{'object':'list','data':[{'id':'a','object':'model'},{'id':'b/c'}]}", "a b/c", 2 },
	{ "{'models':[{'id':'x'}],'meta':{'data':[{'id':'y'}]},'data' : [ {'id':'a','data':[{'id':'z'}]} ]}", "a", 1 },
	{ "{'data':[{'name':']}\\'','id':'a'},{'no':1},{'id':7},{'id':''},['d'],5,{'id':'b'}]}", "a b", 2 },
	{ "{'data':[]}", "", 0 },
	{ "{'data':[{'id':'a'},{'id':'b'", "", -1 },
	{ "{'data':'text'}", "", -1 },
	{ "{'key':'data','list':[1]}", "", -1 },
	{ "<html>", "", -1 },
	{ "", "", -1 },
	{ "{'data':[{'id':'1'},{'id':'2'},{'id':'3'},{'id':'4'},{'id':'5'},{'id':'6'}]}", "1 2 3 4 5", 5 },
};

START_TEST(test_models)
{
	const struct models_case *c = &model_lists[_i];
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf joined = PL_BUF(pool);
	struct pl_str names[5];
	char *body = with_quotes(c->body);
	int count = llm_openai_models(pool, pl_str(body), names, PL_COUNT(names));

	ck_assert_int_eq(count, c->count);
	for (int i = 0; i < count; i++) {
		pl_buf_adds(&joined, i > 0 ? " " : "");
		pl_buf_addstr(&joined, names[i]);
	}
	ck_assert(pl_str_is(pl_buf_str(&joined), c->names));
	pl_free(body);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_llm_openai(void);

Suite *suite_llm_openai(void)
{
	Suite *suite = suite_create("llm_openai");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, test_stream, 0, PL_COUNT(streams));
	tcase_add_test(tc, test_stop_by_reader);
	tcase_add_loop_test(tc, test_caps, 0, 4);
	tcase_add_loop_test(tc, test_refusal, 0, PL_COUNT(refusals));
	tcase_add_test(tc, test_encode);
	tcase_add_loop_test(tc, test_refused_options, 0, PL_COUNT(options));
	tcase_add_loop_test(tc, test_models, 0, PL_COUNT(model_lists));
	suite_add_tcase(suite, tc);
	return suite;
}
