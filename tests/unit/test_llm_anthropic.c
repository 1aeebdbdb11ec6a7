/* SPDX-License-Identifier: ISC */
/*
 * Anthropic dialect: streams cut at every byte, whole messages, errors, requests, and the heads of requests.
 *
 * In the tables ' replaces ", so that JSON is readable.
 */
#include <check.h>
#include <math.h>

#include "llm/llm_dialect.h"

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

static bool on_text(void *arg, struct pl_str text)
{
	ck_assert_uint_gt(text.len, 0);
	pl_buf_addstr(arg, text);
	return true;
}

/* Defaults of a row: a complete answer, no text, usage 12 and 4, model c-1. */
struct stream_case {
	const char *what, *bytes, *text;
	enum llm_stop stop;
	enum pl_code code;
	int error_status;
	bool permanent, nothing;	/* nothing: neither usage nor model */
	bool early;			/* no usage behind the text */
	int64_t prompt, completion;
};

#define EVENT(name, json) "event: " name "\ndata: " json "\n\n"
#define START_OF(id, usage) EVENT("message_start", \
	"{'type':'message_start','message':{'id':'" id "','type':'message'," \
	"'role':'assistant','content':[],'model':'c-1','stop_reason':null,'usage':{" usage "}}}")
#define START START_OF("msg_1", \
	"'input_tokens':10,'cache_creation_input_tokens':0,'cache_read_input_tokens':2,'output_tokens':1")
#define BLOCK EVENT("content_block_start", \
	"{'type':'content_block_start','index':0,'content_block':{'type':'text','text':''}}")
#define PING EVENT("ping", "{'type': 'ping'}")
#define SAY(text) EVENT("content_block_delta", "{'type':'content_block_delta','index':0,'delta':{'type':'text_delta'," \
	"'text':'" text "'}   }")
#define OTHER(delta) EVENT("content_block_delta", "{'type':'content_block_delta','index':0,'delta':" delta "}")
#define BLOCK_END EVENT("content_block_stop", "{'type':'content_block_stop','index':0}")
#define ENDING(reason) EVENT("message_delta", "{'type':'message_delta','delta':{'stop_reason':'" reason "'," \
	"'stop_sequence':null},'usage':{'output_tokens':4}}")
#define STOP EVENT("message_stop", "{'type':'message_stop'     }")
#define ERROR(type) EVENT("error", \
	"{'type':'error','error':{'type':'" type "','message':'Too busy'},'request_id':'req_1'}")

static const struct stream_case streams[] = {
	{ .what = "plain", .bytes = START BLOCK PING SAY("H\xc3\xa9") SAY("llo") BLOCK_END ENDING("end_turn") STOP,
	  .text = "H\xc3\xa9llo" },
	{ .what = "events without names", .bytes = "data: {'type':'message_start','message':{'id':'m','model':'c-1',"
	    "'usage':{'input_tokens':12,'output_tokens':4}}}\n\n"
	    "data: {'type':'content_block_delta','index':0,'delta':{'type':'text_delta','text':'Hi'}}\n\n"
	    "data: {'type':'message_delta','delta':{'stop_reason':'end_turn'}}\n\ndata: {'type':'message_stop'}\n\n",
	  .early = true, .text = "Hi" },
	{ .what = "CRLF",
	    .bytes = "event: message_start\r\ndata: "
	    "{'type':'message_start','message':{'id':'m','model':'c-1',"
	    "'usage':{'input_tokens':12,'output_tokens':4}}}\r\n\r\n"
	    "event: content_block_delta\r\ndata: {'type':'content_block_delta','index':0,"
	    "'delta':{'type':'text_delta','text':'a'}}\r\n\r\n"
	    "event: message_stop\r\ndata: {'type':'message_stop'}\r\n\r\n",
	  .early = true, .text = "a", .stop = LLM_STOP_OTHER },
	{ .what = "max_tokens", .bytes = START SAY("a") ENDING("max_tokens") STOP, .text = "a",
	    .stop = LLM_STOP_LENGTH },
	{ .what = "context full", .bytes = START SAY("a") ENDING("model_context_window_exceeded") STOP, .text = "a",
	  .stop = LLM_STOP_LENGTH },
	{ .what = "stop_sequence", .bytes = START SAY("a") ENDING("stop_sequence") STOP, .text = "a" },
	{ .what = "refusal", .bytes = START SAY("a") ENDING("refusal") STOP, .text = "a", .stop = LLM_STOP_FILTER },
	{ .what = "unknown reason", .bytes = START SAY("a") ENDING("brand_new") STOP, .text = "a",
	    .stop = LLM_STOP_OTHER },
	{ .what = "unknown events and deltas", .bytes = START EVENT("sparkle", "no json at all")
	    "data: {'type':'message_stop'}\n\n" OTHER("{'type':'glitter_delta','text':'no'}")
	    OTHER("{'type':'thinking_delta','thinking':'hm'}")
	    OTHER("{'type':'signature_delta','signature':'x'}") OTHER("{'type':'input_json_delta','partial_json':''}")
	    SAY("a") ENDING("end_turn") STOP, .text = "a" },
	{ .what = "text in the block's start", .bytes = START
	    EVENT("content_block_start",
	    "{'type':'content_block_start','index':0,'content_block':{'type':'text','text':'A'}}")
	    SAY("b") ENDING("end_turn") STOP, .text = "Ab" },
	{ .what = "cumulative usage, corrected input", .bytes = START SAY("a")
	    EVENT("message_delta", "{'type':'message_delta','delta':{},'usage':{'output_tokens':3}}")
	    EVENT("message_delta",
	    "{'type':'message_delta','delta':{'stop_reason':'end_turn'},'usage':{'input_tokens':61,"
	    "'cache_creation_input_tokens':5,'output_tokens':9}}") STOP, .text = "a", .prompt = 68, .completion = 9 },
	{ .what = "beginning repeated", .bytes = START START SAY("a") START ENDING("end_turn") STOP, .text = "a" },
	{ .what = "another beginning before any text",
	  .bytes = START_OF("msg_0", "'input_tokens':99,'output_tokens':7") START SAY("a") ENDING("end_turn") STOP,
	  .text = "a" },
	{ .what = "another beginning in the middle", .bytes = START SAY("a") START_OF("msg_2", "'input_tokens':1"),
	    .text = "a",
	  .stop = LLM_STOP_OTHER, .code = PL_E_UPSTREAM, .completion = 1, .prompt = 12, .early = true },
	{ .what = "after the end", .bytes = START SAY("a") ENDING("end_turn") STOP SAY("b"), .text = "a" },
	{ .what = "no message_stop", .bytes = START SAY("a") ENDING("end_turn"), .text = "a",
	    .code = PL_E_UPSTREAM_CUT },
	{ .what = "cut in an event", .bytes = START SAY("a") "event: message_stop\ndata: {'type'", .text = "a",
	  .stop = LLM_STOP_OTHER, .code = PL_E_UPSTREAM_CUT, .prompt = 12, .completion = 1, .early = true },
	{ .what = "error in the middle", .bytes = START SAY("a") ERROR("overloaded_error") SAY("b"), .text = "a",
	  .stop = LLM_STOP_OTHER, .code = PL_E_UPSTREAM, .error_status = 529, .prompt = 12, .completion = 1,
	  .early = true },
	{ .what = "error at once", .bytes = ERROR("invalid_request_error"), .stop = LLM_STOP_OTHER,
	    .code = PL_E_UPSTREAM,
	  .error_status = 400, .permanent = true, .nothing = true },
	{ .what = "key refused in the stream", .bytes = ERROR("authentication_error"), .stop = LLM_STOP_OTHER,
	  .code = PL_E_UPSTREAM_AUTH, .error_status = 401, .permanent = true, .nothing = true },
	{ .what = "unknown error", .bytes = ERROR("new_error"), .stop = LLM_STOP_OTHER, .code = PL_E_UPSTREAM,
	    .nothing = true },
	{ .what = "broken JSON", .bytes = START EVENT("content_block_delta", "{'type':"), .stop = LLM_STOP_OTHER,
	  .code = PL_E_UPSTREAM, .permanent = true, .prompt = 12, .completion = 1, .early = true },
	{ .what = "nothing", .bytes = "", .stop = LLM_STOP_OTHER, .code = PL_E_UPSTREAM_CUT, .nothing = true },
	{ .what = "whole message", .bytes = "{'id':'msg_1','type':'message','role':'assistant','model':'c-1','content':"
	    "[{'type':'thinking','thinking':'hm'},{'type':'text','text':'Hi '},{'type':'text','text':'you'}],"
	    "'stop_reason':'end_turn','usage':{'input_tokens':12,'output_tokens':4}}", .text = "Hi you" },
	{ .what = "error with status 200", .bytes = "{'type':'error','error':{'type':'api_error','message':'no'}}",
	  .stop = LLM_STOP_OTHER, .code = PL_E_UPSTREAM, .error_status = 500, .nothing = true },
};

static void check_outcome(const struct stream_case *c, const struct llm_decoder *dec, struct pl_str heard, size_t at)
{
	int64_t prompt = c->nothing ? -1 : c->completion > 0 ? c->prompt : 12;
	int64_t completion = c->nothing ? -1 : c->completion > 0 ? c->completion : 4;
	enum pl_code code = dec->failed ? dec->err.code : PL_E_OK;

	ck_assert_msg(code == c->code, "%s, cut at %zu: code %d (%s)", c->what, at, (int)code, dec->err.detail);
	ck_assert_msg(pl_str_is(heard, c->text != NULL ? c->text : ""), "%s, cut at %zu: %s", c->what, at, heard.ptr);
	ck_assert_msg(dec->stop == c->stop, "%s, cut at %zu: stop %d", c->what, at, (int)dec->stop);
	ck_assert_msg(dec->prompt_tokens == prompt && dec->completion_tokens == completion, "%s: usage %d %d", c->what,
	    (int)dec->prompt_tokens, (int)dec->completion_tokens);
	/* the count before the text is used until the end of the stream contains another one */
	ck_assert_msg(dec->early == c->early, "%s: early", c->what);
	ck_assert_msg(strcmp(dec->model, c->nothing ? "" : "c-1") == 0, "%s: model %s", c->what, dec->model);
	ck_assert_msg(dec->error_status == c->error_status, "%s: status %d", c->what, dec->error_status);
	ck_assert_msg(dec->permanent == c->permanent, "%s: permanent", c->what);
}

/* Feeds `step` bytes at a time after the first `at`. */
static void run_stream(const struct stream_case *c, const char *bytes, size_t at, size_t step)
{
	struct pl_buf heard = PL_BUF(NULL);
	struct llm_decoder dec;
	size_t len = strlen(bytes), first = at;
	bool more;

	llm_dec_init(&dec, &llm_anthropic, PL_STR_NONE, on_text, &heard);
	more = llm_dec_feed(&dec, bytes, at);
	for (; more && at < len; at += step)
		more = llm_dec_feed(&dec, bytes + at, step < len - at ? step : len - at);
	llm_dec_end(&dec);
	check_outcome(c, &dec, pl_buf_str(&heard), first);
	llm_dec_fini(&dec);
	pl_buf_fini(&heard);
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

static const struct refusal_case { int status; const char *body, *says; bool again; } refusals[] = {
	{ 400, "{'type':'error','error':{'type':'invalid_request_error','message':'max_tokens: too high'}}",
	    "400: max_tokens", false },
	{ 400, "{'type':'error','error':{'type':'invalid_request_error','message':'sk-key is odd'}}", "status 400.",
	    false },
	{ 401, "{'type':'error','error':{'type':'authentication_error','message':'invalid x-api-key'}}",
	    "refused our key", false },
	{ 402, "{'error':{'type':'billing_error','message':'pay'}}", "402: pay", false },
	{ 413, "", "413", false },
	{ 429, "{'type':'error','error':{'type':'rate_limit_error','message':'slow'}}", "429): slow", true },
	{ 529, "{'type':'error','error':{'type':'overloaded_error','message':'Overloaded'}}", "529: Overloaded", true },
	{ 500, "<html>", "500", true },
};

START_TEST(test_refusal)
{
	const struct refusal_case *c = &refusals[_i];
	char *body = with_quotes(c->body);
	struct llm_decoder dec;

	llm_dec_init(&dec, &llm_anthropic, PL_STR("sk-key"), on_text, NULL);
	llm_dec_refused(&dec, c->status, pl_str(body));
	ck_assert(dec.failed);
	ck_assert_int_eq(dec.error_status, c->status);
	ck_assert_int_eq(dec.permanent, !c->again);
	ck_assert_msg(strstr(pl_err_text(&dec.err), c->says) != NULL, "%s", pl_err_text(&dec.err));
	ck_assert(strstr(pl_err_text(&dec.err), "sk-key") == NULL);
	llm_dec_fini(&dec);
	pl_free(body);
}
END_TEST

static void check_encoding(const struct llm_request *request, unsigned without, const char *want)
{
	struct pl_buf body = PL_BUF(NULL);
	struct pl_jw w = PL_JW(&body);
	char *text = with_quotes(want);

	llm_anthropic_encode(request, &w);
	llm_anthropic_options(request, without, &w);
	ck_assert_str_eq(body.ptr, text);
	pl_buf_fini(&body);
	pl_free(text);
}

START_TEST(test_encode)
{
	const struct upstream_settings old = { .model = "c-1", .max_tokens = 4096, .api_version = "2023-06-01",
		.parameter = "" };
	const struct upstream_settings fresh = { .model = "c-1", .max_tokens = 4096, .api_version = "2026-10-21",
		.parameter = "" };
	const struct llm_message messages[] = {
		{ LLM_ASSISTANT, PL_STR_NONE, PL_STR("Earlier.") },
		{ LLM_USER, PL_STR("alice"), PL_STR("Hi \"you\"") },
		{ LLM_USER, PL_STR("bob"), PL_STR("Me too") },
		{ LLM_USER, PL_STR("eve"), PL_STR("  ") },
		{ LLM_ASSISTANT, PL_STR_NONE, PL_STR("Yes?") },
		{ LLM_USER, PL_STR_NONE, PL_STR("So") },
	};
	struct llm_request request = { .upstream = &old, .messages = messages + 5, .messages_count = 1,
		.temperature = NAN };

	check_encoding(&request, 0,
	    "{'model':'c-1','max_tokens':4096,'messages':[{'role':'user','content':'So'}],'stream':true}");
	request = (struct llm_request){ .upstream = &old, .model = PL_STR("c-2"), .system = PL_STR("Be kind."),
		.messages = messages, .messages_count = PL_COUNT(messages), .temperature = 0.5, .max_tokens = 64 };
	check_encoding(&request, 0, "{'model':'c-2','max_tokens':64,'system':'Be kind.','messages':["
	    "{'role':'user','content':'...'},{'role':'assistant','content':'Earlier.'},"
	    "{'role':'user','content':'alice: Hi \\'you\\'\\n\\nbob: Me too'},{'role':'assistant','content':'Yes?'},"
	    "{'role':'user','content':'So'}],'temperature':0.5,'stream':true}");
	request.temperature = 2;
	request.messages_count = 0;
	check_encoding(&request, 0,
	    "{'model':'c-2','max_tokens':64,'system':'Be kind.','messages':[],'temperature':1,'stream':true}");
	request.upstream = &fresh;
	check_encoding(&request, 0, "{'model':'c-2','max_tokens':64,'system':'Be kind.','messages':[],'stream':true}");
}
END_TEST

static const struct head_case { struct upstream_settings upstream; enum provider provider; const char *names, *url;
    } heads[] = {
	{ { .url = "https://api.openai.com/v1", .api_version = "v" }, PROVIDER_OPENAI, "Accept Authorization ",
	  "https://api.openai.com/v1/x" },
	{ { .url = "https://api.anthropic.com/v1//", .dialect = DIALECT_ANTHROPIC, .api_version = "v" },
	  PROVIDER_ANTHROPIC, "Accept anthropic-version x-api-key ", "https://api.anthropic.com/v1/x" },
	{ { .url = "https://openrouter.ai:443/api/v1" }, PROVIDER_OPENROUTER,
	  "Accept Authorization HTTP-Referer X-OpenRouter-Title ", "https://openrouter.ai:443/api/v1/x" },
	{ { .url = "http://api.openai.com/v1" }, PROVIDER_OTHER, "Accept Authorization ",
	    "http://api.openai.com/v1/x" },
	{ { .url = "https://api.openai.com.example" }, PROVIDER_OTHER, "Accept Authorization ",
	    "https://api.openai.com.example/x" },
	{ { .url = "https://api.openai.com@example" }, PROVIDER_OTHER, "Accept Authorization ",
	    "https://api.openai.com@example/x" },
	{ { .url = "https://x.openai.azure.com/openai/deployments/m/?api-version=2024-10-21",
	    .key_header = KEY_HEADER_API_KEY }, PROVIDER_OTHER, "Accept api-key ",
	    "https://x.openai.azure.com/openai/deployments/m/x?api-version=2024-10-21" },
	{ { .url = "http://[::1]:1", .provider = PROVIDER_OPENAI }, PROVIDER_OPENAI, "Accept Authorization ",
	    "http://[::1]:1/x" },
};

START_TEST(test_heads)
{
	const struct head_case *c = &heads[_i];
	struct httpc_header headers[LLM_HEADERS_MAX];
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf names = PL_BUF(pool);
	int n = llm_headers(pool, NULL, &c->upstream, PL_STR("sk"), "a/b", headers);

	for (int i = 0; i < n; i++) {
		pl_buf_adds(&names, headers[i].name);
		pl_buf_adds(&names, " ");
		if (strcmp(headers[i].name, "Authorization") == 0)
			ck_assert(pl_str_is(headers[i].value, "Bearer sk"));
		if (strcmp(headers[i].name, "x-api-key") == 0)
			ck_assert(pl_str_is(headers[i].value, "sk"));
	}
	ck_assert_str_eq(names.ptr, c->names);
	ck_assert_str_eq(llm_url(pool, &c->upstream, "/x"), c->url);
	ck_assert_str_eq(llm_url(pool, &(struct upstream_settings){ .url = "http://a/b?c=d" }, "/models?limit=1"),
	    "http://a/b/models?limit=1&c=d");
	ck_assert_int_eq(config_provider(&c->upstream), c->provider);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_llm_anthropic(void);

Suite *suite_llm_anthropic(void)
{
	Suite *suite = suite_create("llm_anthropic");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, test_stream, 0, PL_COUNT(streams));
	tcase_add_loop_test(tc, test_refusal, 0, PL_COUNT(refusals));
	tcase_add_test(tc, test_encode);
	tcase_add_loop_test(tc, test_heads, 0, PL_COUNT(heads));
	suite_add_tcase(suite, tc);
	return suite;
}
