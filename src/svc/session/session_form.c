/* SPDX-License-Identifier: ISC */
/*
 * The effect of a message on the form of its session: read the state, take a step, and write what is stored with the
 * message.
 */
#include "json.h"
#include "svc/session/lead.h"
#include "svc/session/session_job.h"

/* A form in a session, for reading or writing its state. */
struct place {
	CONFIG_BORROWED const struct pl_seal_ring *keys;
	struct pl_pool *pool;
	const struct form *form;
	struct pl_str id;
};

static struct place place_of(struct session_job *job)
{
	return (struct place){ .keys = &job->config->seal_ring, .pool = job->task->pool, .form = job->form,
		.id = pl_str(job->id) };
}

/* The data that a sealed value is bound to. */
static struct pl_str seal_context(const struct place *p, int slot)
{
	return pl_str(pl_sprintf(p->pool, "session:%.*s:%s", PL_FMT(p->id), p->form->slots[slot].name));
}

/*
 * Returns the value of a sensitive slot, so that it is recognized when it is repeated; absent: its key no longer
 * exists.
 */
static struct pl_str secret_of(const struct place *p, int slot, struct pl_str hex)
{
	char *sealed = pl_alloc(p->pool, hex.len / 2 + 1);
	struct pl_str plain;

	if (hex.len == 0 || !pl_unhex(hex, sealed, hex.len / 2) || !pl_unseal(p->pool, p->keys,
	    seal_context(p, slot), pl_strn(sealed, hex.len / 2), &plain))
		return PL_STR_NONE;
	return plain;
}

static enum form_over over_of(const struct session *session)
{
	return pl_str_is(session->form_over, "cancelled") ? FORM_CANCELLED :
	    pl_str_is(session->form_over, "handed_over") ? FORM_HANDED_OVER : FORM_GOES_ON;
}

/* Reads the proposal that waits for a yes. Those of sensitive slots are sealed. */
static void read_pending(const struct place *p, struct pl_str text, struct form_state *state)
{
	struct pl_err err = { 0 };
	const struct pl_jval *json = text.ptr != NULL ? pl_json_parse(p->pool, text, &err) : NULL;
	const struct pl_jval *name = json != NULL ? pl_json_get(json, "slot") : NULL;
	const struct pl_jval *value = json != NULL ? pl_json_get(json, "value") : NULL;
	const struct pl_jval *sealed = json != NULL ? pl_json_get(json, "sealed") : NULL;
	int slot = name != NULL ? form_slot_find(p->form, name->text) : -1;
	struct pl_str plain = PL_STR_NONE;

	if (slot < 0)
		return;
	if (sealed != NULL)
		plain = secret_of(p, slot, sealed->text);
	else if (value != NULL && !p->form->slots[slot].s->sensitive)
		plain = value->text;
	if (plain.ptr == NULL)
		return;
	state->pending = slot;
	state->pending_value = state->pending_raw = plain;
}

static void read_state(const struct place *p, const struct session *session, struct form_state *state)
{
	*state = (struct form_state){ .requested = -1, .pending = -1, .complete = session->is_complete,
		.over = over_of(session) };
	if (session->requested.ptr != NULL)
		state->requested = form_slot_find(p->form, session->requested);
	for (int i = 0; i < session->slots_count; i++) {
		const struct session_slot *stored = &session->slots[i];
		int slot = form_slot_find(p->form, stored->name);

		if (slot < 0)
			continue;
		state->filled[slot] = stored->collected;
		state->tries[slot] = stored->tries;
		if (p->form->slots[slot].s->sensitive)
			state->secret[slot] = secret_of(p, slot, stored->sealed);
		else if (stored->collected)
			state->value[slot] = pl_str_dup(p->pool, stored->value);
	}
	read_pending(p, session->form_pending, state);
}

struct pl_str session_form_open(const struct config *config, struct pl_pool *pool, const struct form *form,
    const struct session *session)
{
	struct place place = { .keys = &config->seal_ring, .pool = pool, .form = form, .id = session->id };
	struct form_step step = { .reopened = -1, .skipped = -1, .question = true };
	struct form_state state;

	read_state(&place, session, &state);
	step.pending = state.pending;
	step.pending_value = state.pending_value;
	form_finish(form, &state, &step);
	return form_reply(form, pool, &state, &step);
}

void session_form_read(struct session_job *job, const struct session *session)
{
	struct place place = place_of(job);

	read_state(&place, session, &job->state);
	job->form_seq = session->form_seq;
	job->is_complete = session->is_complete;
	job->is_lead = session->lead_mail.ptr != NULL;
	for (int i = 0; i < session->slots_count; i++) {
		int slot = form_slot_find(job->form, session->slots[i].name);

		if (slot >= 0)
			job->values[slot] = pl_str_dup(job->task->pool, session->slots[i].value);
	}
	form_take(job->form, job->task->pool, &job->state, job->message, &job->step);
}

static struct pl_str masked(struct session_job *job, struct pl_str text)
{
	return form_mask(job->form, job->task->pool, &job->state, &job->step, text);
}

static void write_sealed(struct session_job *job, struct pl_jw *w, int i, struct pl_str value)
{
	struct pl_pool *pool = job->task->pool;
	struct place place = place_of(job);
	struct pl_str sealed = pl_seal(pool, &job->config->seal_ring, seal_context(&place, i), value);
	char *hex = pl_alloc(pool, sealed.len * 2 + 1);

	pl_hex(sealed.ptr, sealed.len, hex);
	pl_jw_kcstr(w, "sealed", hex);
}

/* Writes the proposal, so that the next message can accept it. */
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
		/* a free text, or the text around a name, may contain the value of another slot */
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
		if (job->step.value[i].ptr != NULL ||
		    (job->step.tries[i] != job->state.tries[i] && !job->step.cleared[i]))
			write_slot(job, &w, i);
	pl_jw_end_array(&w);
	if (job->step.clears) {
		pl_jw_key(&w, "cleared");
		pl_jw_array(&w);
		for (int i = 0; i < job->form->count; i++)
			if (job->step.cleared[i])
				pl_jw_cstr(&w, job->form->slots[i].name);
		pl_jw_end_array(&w);
	}
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
		filled[i] = form_has(&job->state, &job->step, i);
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
