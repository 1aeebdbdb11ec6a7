/* SPDX-License-Identifier: ISC */
/*
 * Options and modes of wsload.
 *
 * wsload load key=value...     listeners and senders; prints a line when all are ready, starts when it reads a line
 * wsload pair key=value...     one message at a time between two sockets on different workers, fdatasync() between
 * wsload connect key=value...  new connections, one request each
 * wsload offer key=value...    requests or frames at given rates, answered or not
 *
 * Every mode prints one line of JSON.
 */
#include "wsload.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options opt = { .host = "127.0.0.1", .seconds = 1, .inflight = 16, .opening = 128, .slow_ms = 1000,
	.hello_ok = "\"subscribed\"" };
struct totals totals;
struct mode mode;

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("wsload: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void samples_add(struct samples *samples, int64_t ns)
{
	if (samples->count == samples->room) {
		samples->room = samples->room == 0 ? 4096 : samples->room * 2;
		samples->ns = realloc(samples->ns, samples->room * sizeof(*samples->ns));
		if (samples->ns == NULL)
			die("out of memory");
	}
	samples->ns[samples->count++] = ns;
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void samples_print(const char *name, struct samples *samples)
{
	size_t n = samples->count;

	printf("\"%s_count\": %zu", name, n);
	if (n == 0)
		return;
	qsort(samples->ns, n, sizeof(*samples->ns), by_size);
	printf(", \"%s_p50_us\": %.1f, \"%s_p99_us\": %.1f, \"%s_max_us\": %.1f", name,
	    (double)samples->ns[n / 2] / 1e3, name, (double)samples->ns[n * 99 / 100] / 1e3, name,
	    (double)samples->ns[n - 1] / 1e3);
}

/* "a,b,c" or, from @file, one per line. */
static void read_list(const char *text, const char ***list_r, int *count_r)
{
	char *all = NULL, *rest, *word;
	size_t bytes = 0;
	FILE *file;

	if (text[0] == '@') {
		file = fopen(text + 1, "r");
		if (file == NULL || getdelim(&all, &bytes, '\0', file) < 0)
			die("cannot read %s", text + 1);
		fclose(file);
	} else {
		all = strdup(text);
	}
	for (rest = all; (word = strsep(&rest, ",\n")) != NULL;) {
		if (*word == '\0')
			continue;
		*list_r = realloc(*list_r, (size_t)(*count_r + 1) * sizeof(**list_r));
		if (*list_r == NULL)
			die("out of memory");
		(*list_r)[(*count_r)++] = word;
	}
}

static const struct { const char *name; const char **text; int *number; bool *flag; } table[] = {
	{ "host", &opt.host, NULL, NULL }, { "dir", &opt.dir, NULL, NULL }, { "port", NULL, &opt.port, NULL },
	{ "subs", NULL, &opt.subs, NULL }, { "pubs", NULL, &opt.pubs, NULL }, { "count", NULL, &opt.count, NULL },
	{ "opening", NULL, &opt.opening, NULL },
	{ "inflight", NULL, &opt.inflight, NULL }, { "once", NULL, NULL, &opt.once },
	    { "marks", NULL, NULL, &opt.marks }, { "edge_ms", NULL, &opt.edge_ms, NULL },
	    { "over", &opt.over, NULL, NULL },
	{ "stream", NULL, NULL, &opt.stream }, { "native", NULL, NULL, &opt.native },
	    { "pub_ws", NULL, NULL, &opt.pub_ws },
	{ "sub", &opt.sub, NULL, NULL }, { "hello", &opt.hello, NULL, NULL }, { "hello_ok", &opt.hello_ok, NULL, NULL },
	{ "pub", &opt.pub, NULL, NULL }, { "body", &opt.body, NULL, NULL }, { "deliver", &opt.deliver, NULL, NULL },
	{ "phases", &opt.phases, NULL, NULL }, { "slow_ms", NULL, &opt.slow_ms, NULL },
};

static void read_option(const char *word)
{
	const char *value = strchr(word, '=');
	size_t bytes = value == NULL ? 0 : (size_t)(value - word);

	if (value == NULL)
		die("%s: key=value is wanted", word);
	value++;
	if (strncmp(word, "tokens=", 7) == 0) {
		read_list(value, &opt.tokens, &opt.token_count);
		return;
	}
	if (strncmp(word, "rooms=", 6) == 0) {
		read_list(value, &opt.rooms, &opt.room_count);
		return;
	}
	if (strncmp(word, "seconds=", 8) == 0) {
		opt.seconds = atof(value);
		return;
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strlen(table[i].name) != bytes || strncmp(table[i].name, word, bytes) != 0)
			continue;
		if (table[i].text != NULL)
			*table[i].text = value;
		else if (table[i].number != NULL)
			*table[i].number = atoi(value);
		else
			*table[i].flag = atoi(value) != 0;
		return;
	}
	die("%s: no such option", word);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*run)(void); } modes[] = {
		{ "load", run_load }, { "pair", run_pair }, { "connect", run_connect }, { "offer", run_offer },
	};

	for (int i = 2; i < argc; i++)
		read_option(argv[i]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run();
	}
	die("usage: wsload load|pair|connect|offer key=value...");
}
