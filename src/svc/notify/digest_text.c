/* SPDX-License-Identifier: ISC */
/* Who, where, and how often; never the text of a message, because a copy in a mail cannot be deleted. */
#include "svc/notify/digest_text.h"

static int64_t number(const struct pl_jval *object, const char *key)
{
	int64_t n;

	return pl_json_i64(pl_json_get(object, key), 0, INT64_MAX, &n) ? n : 0;
}

static const char *phrase(struct pl_str kind)
{
	static const struct { const char *kind, *words; } phrases[] = {
		{ "mention", "mentioned you" }, { "reply", "replied to you" }, { "added", "added you to a room" },
		{ "invite", "used your invite" }, { "question", "asks you a question" },
	};

	for (size_t i = 0; i < PL_COUNT(phrases); i++)
		if (pl_str_is(kind, phrases[i].kind))
			return phrases[i].words;
	return "sent you a notification";
}

struct pl_str digest_subject(struct pl_pool *pool, const struct pl_jval *content, const char *server_name)
{
	int64_t total = number(content, "total");

	return pl_str(pl_sprintf(pool, "%s: %lld unread notification%s", server_name, (long long)total,
	    total == 1 ? "" : "s"));
}

static void add_line(struct pl_buf *out, const struct pl_jval *line)
{
	struct pl_str actor = pl_json_str(pl_json_get(line, "actor")), room = pl_json_str(pl_json_get(line, "room"));
	int64_t count = number(line, "count");

	pl_buf_addf(out, "- %.*s %s", PL_FMT(actor.ptr != NULL ? actor : PL_STR("Somebody")),
	    phrase(pl_json_str(pl_json_get(line, "kind"))));
	if (room.ptr != NULL)
		pl_buf_addf(out, ": %.*s", PL_FMT(room));
	if (count > 1)
		pl_buf_addf(out, " (%lld times)", (long long)count);
	pl_buf_addc(out, '\n');
}

struct pl_str digest_body(struct pl_pool *pool, const struct pl_jval *content, const char *server_name,
    struct pl_str page, struct pl_str stop)
{
	struct pl_buf out = PL_BUF(pool);
	const struct pl_jval *lines = pl_json_get(content, "lines");
	int64_t total = number(content, "total"), shown = 0;

	pl_buf_addf(&out, "%.*s, you have %lld unread notification%s at %s.\n\n",
	    PL_FMT(pl_json_str(pl_json_get(content, "username"))), (long long)total, total == 1 ? "" : "s",
	    server_name);
	for (const struct pl_jval *line = lines != NULL ? lines->first : NULL; line != NULL; line = line->next) {
		add_line(&out, line);
		shown += number(line, "count");
	}
	if (shown < total)
		pl_buf_addf(&out, "- and %lld more\n", (long long)(total - shown));
	if (page.ptr != NULL)
		pl_buf_addf(&out, "\nRead them here: %.*s\n", PL_FMT(page));
	pl_buf_adds(&out, "\nYou receive this mail at most once a day, because you chose mail for these "
	    "notifications.\n");
	if (stop.ptr != NULL)
		pl_buf_addf(&out, "Stop these mails: %.*s\n", PL_FMT(stop));
	else
		pl_buf_adds(&out, "To stop these mails, change the notification settings of your account.\n");
	return pl_buf_str(&out);
}
