/* SPDX-License-Identifier: ISC */
/* One libcurl transfer: its options, the head and the body of the reply, and the meaning of its result. */
#include "net/httpc_curl.h"

#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "leaf.h"
#include "log.h"

enum { RETRY_AFTER_MAX_S = 86400 };

/* ---- request headers ---- */

/* Checks a field value (RFC 9110 section 5.5), so that a line break in a key file cannot start a second header. */
static bool value_ok(struct pl_str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static void header_add(struct httpc_transfer *transfer, const char *name, struct pl_str value)
{
	struct pl_buf line = PL_BUF(NULL);

	pl_buf_room(&line, strlen(name) + 2 + value.len);	/* prevents that growing leaves a copy of a key in a
								 * smaller block */
	pl_buf_adds(&line, name);
	pl_buf_adds(&line, ": ");
	pl_buf_addstr(&line, value);
	transfer->headers = curl_slist_append(transfer->headers, line.ptr);
	PL_BUG(transfer->headers == NULL);
	pl_wipe(line.ptr, line.len);
	pl_buf_fini(&line);
}

bool httpc_easy_headers(struct httpc_transfer *transfer, const struct httpc_request *request)
{
	for (int i = 0; i < request->headers_count; i++) {
		const struct httpc_header *header = &request->headers[i];

		if (header->value.ptr == NULL || header->value.len == 0)
			continue;
		if (!value_ok(header->value))
			return false;
		header_add(transfer, header->name, header->value);
	}
	/* without this, libcurl waits for 100 Continue before it sends bodies over 1 MB */
	transfer->headers = curl_slist_append(transfer->headers, "Expect:");
	PL_BUG(transfer->headers == NULL);
	return true;
}

void httpc_easy_wipe(struct httpc_transfer *transfer)
{
	for (struct curl_slist *line = transfer->headers; line != NULL; line = line->next)
		pl_wipe(line->data, strlen(line->data));
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
}

/* ---- the reply ---- */

static void head_reset(struct httpc_head *head)
{
	*head = (struct httpc_head){ .retry_after_ms = -1, .should_retry = -1 };
}

/* A status line such as "HTTP/1.1 200 OK" starts a head. A later one (after 103 Early Hints) replaces it. */
static void head_status(struct httpc_transfer *transfer, struct pl_str line)
{
	struct pl_str version;
	int64_t status;

	head_reset(&transfer->result.head);
	transfer->compressed = false;
	if (pl_str_cut(&line, ' ', &version) && line.len >= 3 &&
	    pl_str_i64(pl_strn(line.ptr, 3), 100, 999, &status))
		transfer->result.head.status = (int)status;
}

static void head_content_type(struct httpc_head *head, struct pl_str value)
{
	struct pl_str type = PL_STR("");
	size_t n = 0;

	if (!pl_str_cut(&value, ';', &type))
		return;
	type = pl_str_trim(type);
	for (; n < type.len && n < sizeof(head->content_type) - 1; n++) {
		char c = type.ptr[n];

		head->content_type[n] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
		if (c < 0x21 || c > 0x7e)
			head->content_type[n] = '?';
	}
	head->content_type[n] = '\0';
}

/* Accepts "1.5", which the RFC does not allow but servers send. */
static bool seconds_ms(struct pl_str value, int64_t *ms_r)
{
	struct pl_str whole;
	int64_t seconds, ms = 0, unit = 100;

	if (!pl_str_cut(&value, '.', &whole) || !pl_str_i64(whole, 0, RETRY_AFTER_MAX_S, &seconds))
		return false;
	for (size_t i = 0; value.ptr != NULL && i < value.len; i++, unit /= 10) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return false;
		ms += (value.ptr[i] - '0') * unit;
	}
	*ms_r = seconds * 1000 + ms;
	return true;
}

/* Reads seconds or an HTTP date (RFC 9110 section 10.2.3). retry-after-ms is more exact and takes precedence. */
static void head_retry_after(struct httpc_head *head, struct pl_str value)
{
	char date[64];
	int64_t seconds;
	time_t at;

	if (head->retry_after_ms >= 0 || value.len >= sizeof(date))
		return;
	if (seconds_ms(value, &head->retry_after_ms))
		return;
	memcpy(date, value.ptr, value.len);
	date[value.len] = '\0';
	at = curl_getdate(date, NULL);
	if (at < 0)
		return;
	seconds = (int64_t)at - pl_wall_us() / PL_US_PER_S;
	if (seconds <= RETRY_AFTER_MAX_S)
		head->retry_after_ms = seconds > 0 ? seconds * 1000 : 0;
}

static void head_field(struct httpc_transfer *transfer, struct pl_str name, struct pl_str value)
{
	struct httpc_head *head = &transfer->result.head;
	int64_t ms;

	if (pl_str_ieq(name, PL_STR("content-type")))
		head_content_type(head, value);
	else if (pl_str_ieq(name, PL_STR("retry-after")))
		head_retry_after(head, value);
	else if (pl_str_ieq(name, PL_STR("retry-after-ms")) && pl_str_i64(value, 0, RETRY_AFTER_MAX_S * 1000LL, &ms))
		head->retry_after_ms = ms;
	else if (pl_str_ieq(name, PL_STR("x-should-retry")))
		head->should_retry = pl_str_is(value, "true") ? 1 : pl_str_is(value, "false") ? 0 : -1;
	else if (pl_str_ieq(name, PL_STR("content-encoding")))
		transfer->compressed = value.len > 0 && !pl_str_ieq(value, PL_STR("identity"));
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct httpc_transfer *transfer = arg;
	struct pl_str line = pl_strn(data, size * count), name;

	transfer->got_bytes = true;
	while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == '\n'))
		line.len--;
	if (pl_str_istarts(line, "HTTP/"))
		head_status(transfer, line);
	else if (pl_str_cut(&line, ':', &name) && line.ptr != NULL)
		head_field(transfer, name, pl_str_trim(line));
	return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct httpc_transfer *transfer = arg;
	size_t len = size * count;

	transfer->last_ns = pl_now_ns();
	if (transfer->failed)
		return CURL_WRITEFUNC_ERROR;
	if (transfer->compressed) {
		httpc_fail(transfer, PL_E_UPSTREAM,
		    "The upstream sent a compressed reply, which Parlour had not requested.");
		return CURL_WRITEFUNC_ERROR;
	}
	if (len > transfer->max_body_bytes - (size_t)transfer->result.body_bytes) {
		httpc_fail(transfer, PL_E_UPSTREAM, "The upstream's reply is larger than %zu bytes.",
		    transfer->max_body_bytes);
		return CURL_WRITEFUNC_ERROR;
	}
	transfer->result.body_bytes += (int64_t)len;
	if (len > 0 && !transfer->on_body(transfer->arg, &transfer->result.head, data, len))
		httpc_fail(transfer, PL_E_CANCELLED, NULL);
	return transfer->failed ? CURL_WRITEFUNC_ERROR : len;
}

/* ---- options ---- */

static void setup_limits(struct httpc_transfer *transfer)
{
	CURL *easy = transfer->easy;

	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	/* "" disables the proxies of the environment */
	curl_easy_setopt(easy, CURLOPT_PROXY, transfer->proxy != NULL ? transfer->proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	if (transfer->ca_file != NULL && transfer->ca_file[0] != '\0')
		curl_easy_setopt(easy, CURLOPT_CAINFO, transfer->ca_file);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);	/* canceling a transfer never waits for a thread in
							 * getaddrinfo(3) */
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	if (transfer->connect_ms > 0)
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)transfer->connect_ms);
}

void httpc_easy_setup(struct httpc_transfer *transfer)
{
	CURL *easy = curl_easy_init();

	PL_BUG(easy == NULL);
	transfer->easy = easy;
	head_reset(&transfer->result.head);
	setup_limits(transfer);
	curl_easy_setopt(easy, CURLOPT_URL, transfer->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "parlourd");
	if (transfer->is_post) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body.len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body.ptr);	/* borrowed */
	}
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
	if (transfer->retried)
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

/* ---- the result ---- */

static void verdict_broken(struct httpc_transfer *transfer)
{
	if (transfer->got_bytes)
		httpc_fail(transfer, PL_E_UPSTREAM_CUT, "The connection closed in the middle of the upstream's reply.");
	else
		httpc_fail(transfer, PL_E_UPSTREAM, "The upstream closed the connection without a reply.");
}

void httpc_easy_verdict(struct httpc_transfer *transfer, CURLcode code)
{
	const char *login = strrchr(transfer->url, '@');	/* the URL was refused, but its password must still
								 * not be shown */

	if (transfer->failed)
		return;
	if (code == CURLE_OK)
		return;
	pl_log(PL_LOG_INFO, transfer->task, "outbound request failed", "url=%s status=%d curl=%d why=%s",
	    transfer->url_secret ? "(secret)" : login != NULL ? login + 1 : transfer->url,
	    transfer->result.head.status, (int)code,
	    transfer->curl_error[0] != '\0' ? transfer->curl_error : curl_easy_strerror(code));
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		httpc_fail(transfer, PL_E_UPSTREAM_SLOW, "The connection to the upstream timed out.");
		break;
	case CURLE_COULDNT_RESOLVE_HOST:
		httpc_fail(transfer, PL_E_UPSTREAM, "The upstream's name cannot be resolved.");
		break;
	case CURLE_COULDNT_CONNECT:
		httpc_fail(transfer, PL_E_UPSTREAM, "The upstream refuses connections.");
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		transfer->result.hopeless = true;
		httpc_fail(transfer, PL_E_UPSTREAM, "The upstream's TLS certificate is not trusted.");
		break;
	case CURLE_SSL_CONNECT_ERROR:
		httpc_fail(transfer, PL_E_UPSTREAM, "The TLS handshake with the upstream failed.");
		break;
	case CURLE_URL_MALFORMAT:
	case CURLE_LOGIN_DENIED:
	case CURLE_UNSUPPORTED_PROTOCOL:
		/* also the result of a reply without a status line: HTTP/0.9 is not supported */
		transfer->result.hopeless = true;
		httpc_fail(transfer, PL_E_UPSTREAM, "The upstream's address is wrong or it does not speak HTTP.");
		break;
	default:
		verdict_broken(transfer);
	}
}
