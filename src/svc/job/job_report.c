/* SPDX-License-Identifier: ISC */
/* The report of a porter, and the table of kinds. */
#include "svc/job/job_report.h"

#include <stdio.h>

#include "core/porter.h"
#include "leaf.h"

#define SECRET_MIN 4
#define HIDDEN "(secret)"

const struct job_kind job_kinds[] = {
#define JOB_KIND(kind, peer, look, lane_max, limit_s, cpu_s, memory_mb) \
	{ #kind, job_##kind##_ready, job_##kind##_run, peer, look, lane_max, limit_s, cpu_s, memory_mb, \
	    { [JOB_DONE] = SHM_M_jobs_##kind##_done, [JOB_RETRY] = SHM_M_jobs_##kind##_retried, \
	    [JOB_DEAD] = SHM_M_jobs_##kind##_dead } },
#include "svc/job/kinds.def"
#undef JOB_KIND
};
const int job_kinds_count = (int)PL_COUNT(job_kinds);
_Static_assert(PL_COUNT(job_kinds) <= JOB_KINDS_MAX, "the courier's arrays hold them");

void job_secret(struct job_out *out, struct pl_str secret)
{
	PL_BUG(out->secrets_count == JOB_SECRETS_MAX);
	if (secret.ptr != NULL && secret.len >= SECRET_MIN)
		out->secrets[out->secrets_count++] = secret;
}

/* Replaces every occurrence in place. The replacement may be longer, so the end may be cut. */
static void hide(char why[2000], struct pl_str secret)
{
	char *at = why, rest[2000];
	size_t room;

	while ((at = memmem(at, strlen(at), secret.ptr, secret.len)) != NULL) {
		snprintf(rest, sizeof(rest), "%s", at + secret.len);
		room = (size_t)(why + 2000 - at);
		snprintf(at, room, HIDDEN "%s", rest);
		at += strlen(HIDDEN) < room ? strlen(HIDDEN) : room - 1;
	}
}

static void say(const struct job_out *out, enum job_say what, const struct job_end *end)
{
	struct job_word word;

	memset(&word, 0, sizeof(word));
	word.say = what;
	if (end != NULL) {
		word.end = *end;
		for (int i = 0; i < out->secrets_count; i++)
			hide(word.end.why, out->secrets[i]);
	}
	if (end != NULL && end->result != JOB_RETRY && out->outcome != NULL)
		shm_outcome_set(out->outcome, (int)end->result, word.end.why);
	porter_report(out->fd, &word, sizeof(word));
}

void job_in_doubt(struct job_out *out)
{
	say(out, JOB_SAYS_DOUBT, NULL);
}

void job_ended(struct job_out *out, const struct job_end *end)
{
	say(out, JOB_SAYS_END, end);
}

/* The text goes into a table, so it must be valid UTF-8, also if its end was cut. */
static void make_sane(struct job_end *end)
{
	size_t len = strnlen(end->why, sizeof(end->why) - 1), cut = len;

	while (cut > 0 && len - cut < 3 && !pl_utf8_ok(end->why, cut))
		cut--;
	if (pl_utf8_ok(end->why, cut))
		len = cut;
	end->why[len] = '\0';
	for (size_t i = 0; !pl_utf8_ok(end->why, len) && i < len; i++)
		if ((unsigned char)end->why[i] >= 0x80)
			end->why[i] = '?';
	if (end->result > JOB_DEAD)
		end->result = JOB_RETRY;
	if (end->peer > JOB_PEER_DOWN)
		end->peer = JOB_PEER_UNSEEN;
	if (end->delay_us < 0)
		end->delay_us = 0;
}

bool job_outcome_read(const struct shm *shm, int place, char id_r[PL_UUID_LEN + 1], struct job_end *end_r)
{
	char why[SHM_OUTCOME_WHY];
	int result;

	if (!shm_outcome_get(shm, place, id_r, &result, why))
		return false;
	*end_r = (struct job_end){ .result = (enum job_result)result };
	snprintf(end_r->why, sizeof(end_r->why), "%s", why);
	make_sane(end_r);
	return true;
}

void job_report_read(const struct job_report *report, struct job_end *end_r)
{
	char id[PL_UUID_LEN + 1];
	struct job_word word;
	bool doubt = false;

	for (size_t at = 0; at + sizeof(word) <= report->bytes; at += sizeof(word)) {
		memcpy(&word, report->words + at, sizeof(word));
		doubt = doubt || word.say == JOB_SAYS_DOUBT;
		if (word.say != JOB_SAYS_END)
			continue;
		*end_r = word.end;
		make_sane(end_r);
		return;
	}
	if (report->shm != NULL && job_outcome_read(report->shm, report->place, id, end_r))
		return;
	*end_r = (struct job_end){ .result = JOB_RETRY };
	snprintf(end_r->why, sizeof(end_r->why), "The attempt failed (%s)%s.", report->died,
	    doubt ? " after the end of the message: it may have arrived" : "");
}
