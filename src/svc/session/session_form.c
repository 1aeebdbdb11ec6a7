/* SPDX-License-Identifier: ISC */
/*
 * What a message does to the form of its session: read, step, and what is stored with the message.
 */
#include "json.h"
#include "svc/session/lead.h"
#include "svc/session/session_job.h"

/* What a sealed value is bound to. */
static struct pl_str seal_context(struct session_job *job, int slot)
{
	return pl_str(pl_sprintf(job->task->pool, "session:%s:%s", job->id, job->form->slots[slot].name));
}

/* The value of a sensitive slot, so that it is known when it is said again; absent: its key is gone. */
static struct pl_str secret_of(struct session_job *job, int slot, struct pl_str hex)
{
	struct pl_pool *pool = job->task->pool;
	char *sealed = pl_alloc(pool, hex.len / 2 + 1);
	struct pl_str plain;

	if (hex.len == 0 || !pl_unhex(hex, sealed, hex.len / 2) || !pl_unseal(pool, &job->config->seal_ring,
	    seal_context(job, slot), pl_strn(sealed, hex.len / 2), &plain))
		return PL_STR_NONE;
	return plain;
}

static void read_over(struct session_job *job, const struct session *session)
{
	job->state.over = pl_str_is(session->form_over, "cancelled") ? FORM_CANCELLED :
	    pl_str_is(session->form_over, "handed_over") ? FORM_HANDED_OVER : FORM_GOES_ON;
}

/* What was proposed and waits for a yes; of a sensitive slot sealed. */
static void read_pending(struct session_job *job, struct pl_str text)
{
	struct pl_err err = { 0 };
	const struct pl_jval *json = text.ptr != NULL ? pl_json_parse(job->task->pool, text, &err) : NULL;
	const struct pl_jval *name = json != NULL ? pl_json_get(json, "slot") : NULL;
	const struct pl_jval *value = json != NULL ? pl_json_get(json, "value") : NULL;
	const struct pl_jval *sealed = json != NULL ? pl_json_get(json, "sealed") : NULL;
	int slot = name != NULL ? form_slot_find(job->form, name->text) : -1;
	struct pl_str plain = PL_STR_NONE;

	if (slot < 0)
		return;
	if (sealed != NULL)
		plain = secret_of(job, slot, sealed->text);
	else if (value != NULL && !job->form->slots[slot].s->sensitive)
		plain = value->text;
	if (plain.ptr == NULL)
		return;
	job->state.pending = slot;
	job->state.pending_value = job->state.pending_raw = plain;
}

void session_form_read(struct session_job *job, const struct session *session)
{
	job->state = (struct form_state){ .requested = -1, .pending = -1, .complete = session->is_complete };
	job->form_seq = session->form_seq;
	job->is_complete = session->is_complete;
	job->is_lead = session->lead_mail.ptr != NULL;
	if (session->requested.ptr != NULL)
		job->state.requested = form_slot_find(job->form, session->requested);
	read_over(job, session);
	for (int i = 0; i < session->slots_count; i++) {
		int slot = form_slot_find(job->form, session->slots[i].name);

		if (slot < 0)
			continue;
		job->state.filled[slot] = session->slots[i].collected;
		job->state.tries[slot] = session->slots[i].tries;
		if (job->form->slots[slot].s->sensitive)
			job->state.secret[slot] = secret_of(job, slot, session->slots[i].sealed);
		job->values[slot] = pl_str_dup(job->task->pool, session->slots[i].value);
		if (session->slots[i].collected && !job->form->slots[slot].s->sensitive)
			job->state.value[slot] = job->values[slot];
	}
	read_pending(job, session->form_pending);
	form_take(job->form, job->task->pool, &job->state, job->message, &job->step);
}

static struct pl_str masked(struct session_job *job, struct pl_str text)
{
	return form_mask(job->form, job->task->pool, &job->state, &job->step, text);
}

static void write_sealed(struct session_job *job, struct pl_jw *w, int i, struct pl_str value)
{
	struct pl_pool *pool = job->task->pool;
	struct pl_str sealed = pl_seal(pool, &job->config->seal_ring, seal_context(job, i), value);
	char *hex = pl_alloc(pool, sealed.len * 2 + 1);

	pl_hex(sealed.ptr, sealed.len, hex);
	pl_jw_kcstr(w, "sealed", hex);
}

/* What is proposed, for the next message to say yes to. */
static void write_pending(struct session_job *job, struct pl_jw *w)
{
	int i = job->step.pending;

	if (i < 0)
		return;
	pl_jw_key(w, "pending");
	pl_jw_object(w);
	pl_jw_kcstr(w, "slot", job->form->slots[i].name);
	if (job->form->slots[i].s->sensitive)
		write_sealed(job, w, i, job->step.pending_value);
	else
		pl_jw_kstr(w, "value", job->step.pending_value);
	pl_jw_end_object(w);
}

static void write_slot(struct session_job *job, struct pl_jw *w, int i)
{
	const struct form_slot *slot = &job->form->slots[i];
	bool taken = job->step.value[i].ptr != NULL;

	pl_jw_object(w);
	pl_jw_kcstr(w, "name", slot->name);
	pl_jw_ki64(w, "tries", job->step.tries[i]);
	pl_jw_kbool(w, "collected", taken);
	if (taken && slot->s->sensitive) {
		write_sealed(job, w, i, job->step.value[i]);
	} else if (taken) {
		/* a free text, or a name's surroundings, may hold another slot's value */
		pl_jw_kstr(w, "value", job->values[i]);
		pl_jw_kstr(w, "raw", masked(job, job->step.raw[i]));
	}
	pl_jw_end_object(w);
}

static struct pl_str step_json(struct session_job *job)
{
	static const char *const overs[] = { NULL, "cancelled", "handed_over" };
	struct pl_buf buf = PL_BUF(job->task->pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_key(&w, "slots");
	pl_jw_array(&w);
	for (int i = 0; i < job->form->count; i++)
		if (job->step.value[i].ptr != NULL || job->step.tries[i] != job->state.tries[i])
			write_slot(job, &w, i);
	pl_jw_end_array(&w);
	write_pending(job, &w);
	if (job->step.requested >= 0)
		pl_jw_kcstr(&w, "requested", job->form->slots[job->step.requested].name);
	if (job->step.over != FORM_GOES_ON)
		pl_jw_kcstr(&w, "over", overs[job->step.over]);
	pl_jw_kbool(&w, "complete", job->step.complete);
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}

static struct pl_str mails(struct session_job *job)
{
	bool filled[FORM_SLOTS_MAX];
	struct lead lead = { .form = job->form, .values = job->values, .filled = filled, .session = job->id,
		.account = job->user_id > 0 ? pl_str(job->task->who.name) : PL_STR_NONE,
		.handed_over = job->step.over == FORM_HANDED_OVER };

	if (job->is_lead || (!job->step.complete && !lead.handed_over))
		return PL_STR_NONE;
	for (int i = 0; i < job->form->count; i++)
		filled[i] = job->state.filled[i] || job->step.value[i].ptr != NULL;
	return lead_mails(&lead, job->config, job->task->pool);
}

void session_form_step(struct session_job *job, struct session_message *in)
{
	form_finish(job->form, &job->state, &job->step);
	for (int i = 0; i < job->form->count; i++)
		if (job->step.value[i].ptr != NULL)
			job->values[i] = job->form->slots[i].s->normal == FORM_TEXT ? masked(job, job->step.value[i]) :
			    job->step.value[i];
	job->form_text = form_reply(job->form, job->task->pool, &job->state, &job->step);
	job->is_complete = job->step.complete;
	in->content = masked(job, job->message);
	in->form_seq = job->form_seq;
	in->form = step_json(job);
	in->mails = mails(job);
	job->mails = in->mails.ptr != NULL;
}
