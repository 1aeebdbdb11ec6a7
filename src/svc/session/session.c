/* SPDX-License-Identifier: ISC */
/* Chat sessions: creation, greeting, and the list of running answers. */
#include "svc/session/session.h"

#include <ctype.h>

#include "json.h"
#include "leaf.h"
#include "svc/bus/bus.h"
#include "svc/session/session_job.h"
#include "svc/session/session_live.h"

#define RETURNED "Good to have you back."
#define INTERRUPTED "Good to have you back. My last answer was interrupted; please ask once more what is still open."

/* Stops answers without a place in shared memory, which only this worker knows. Their form may be asking a model. */
static void stop_here(struct sessions *sessions, struct pl_str id)
{
	for (struct session_job *job = sessions->jobs, *next; job != NULL; job = next) {
		next = job->next;
		if (job->answer->index < 0 && pl_str_ieq(id, pl_str(job->id)))
			answer_stop(job->answer);
	}
}

static void session_on_stop(void *sessions, int from_slot, struct pl_str id)
{
	stop_here(sessions, id);
}

struct sessions *sessions_new(struct svc *svc)
{
	struct sessions *s = pl_new(sizeof(*s));

	s->svc = svc;
	answers_on_orphan(svc->answers, ANSWER_IN_SESSION, session_adopt);
	bus_register(svc->bus, RING_STOP_GENERATION, session_on_stop, s);
	return s;
}

/* Called after answers_free(), which ends running answers. */
void sessions_free(struct sessions **sessions)
{
	pl_free(*sessions);
	*sessions = NULL;
}

/* ---- creation ---- */

void session_make(struct svc *svc, const struct config *config, struct pl_task *task, const struct session_want *want,
    repo_session_fn *done, void *arg)
{
	const char *usual = config->s.session_form;
	struct pl_str name = want->form.ptr != NULL ? want->form : pl_str(usual);
	bool guided = want->any ? usual[0] != '\0' : want->kind == SESSION_GUIDED;
	const struct form *form = guided ? forms_find(name) : NULL;
	struct form_state none = { .requested = -1 };
	char *id = pl_alloc(task->pool, PL_UUID_LEN + 1);
	struct session_new in = { .address = pl_str(task->who.addr), .user_id = task->who.user_id,
		.kind = form != NULL ? SESSION_GUIDED : SESSION_CHAT, .life_ms = config->s.session_life };

	in.max_open = in.user_id != 0 ? config->s.sessions_per_user : config->s.guest_sessions_per_address;
	pl_uuid_make(id);
	in.id = pl_str(id);
	if (form != NULL) {
		int first = form_next(form, &none);

		in.form = name;
		in.requested = first >= 0 ? pl_str(form->slots[first].name) : PL_STR_NONE;
	}
	shm_count(svc->shm, SHM_M_sessions, 1);
	repo_session_create(svc->db, task, &in, done, arg);
}

void session_stop(struct svc *svc, struct pl_str id)
{
	char lower[PL_UUID_LEN + 1] = "";

	if (!pl_uuid_ok(id))
		return;		/* imported sessions have no answers */
	for (size_t i = 0; i < PL_UUID_LEN; i++)
		lower[i] = (char)tolower((unsigned char)id.ptr[i]);
	shm_gen_cancel_session(svc->shm, lower);
	if (svc->sessions != NULL)
		stop_here(svc->sessions, pl_str(lower));
	bus_post(svc, RING_STOP_GENERATION, pl_str(lower), PL_STR_NONE);
}

struct session_ending { struct svc *svc; struct pl_str key; db_done_fn *done; void *arg; };

static void session_on_ended(void *arg, const bool *done, const struct pl_err *err)
{
	struct session_ending *e = arg;

	if (err == NULL) {
		session_stop(e->svc, e->key);
		session_live_changed(e->svc, e->key);
	}
	e->done(e->arg, done, err);
}

void session_end(struct svc *svc, struct pl_task *task, struct pl_str key, struct session_caller who,
    db_done_fn *done, void *arg)
{
	struct session_ending *e = pl_alloc(task->pool, sizeof(*e));

	*e = (struct session_ending){ .svc = svc, .key = pl_str_dup(task->pool, key), .done = done, .arg = arg };
	repo_session_end(svc->db, task, e->key, who, session_on_ended, e);
}

static void session_on_left(void *arg, const bool *done, const struct pl_err *err)
{
	struct session_ending *e = arg;

	session_live_changed(e->svc, e->key);
	e->done(e->arg, done, err);
}

void session_leave(struct svc *svc, struct pl_task *task, struct pl_str id, struct pl_str socket, bool made,
    db_done_fn *done, void *arg)
{
	struct session_ending *e = pl_alloc(task->pool, sizeof(*e));

	*e = (struct session_ending){ .svc = svc, .key = pl_str_dup(task->pool, id), .done = done, .arg = arg };
	repo_session_leave(svc->db, task, e->key, socket, made, session_on_left, e);
}

static const struct form *form_of(const struct session *session)
{
	return session->form.ptr != NULL ? forms_find(session->form) : NULL;
}

struct pl_str session_greeting(const struct config *config, struct pl_pool *pool, const struct session *session)
{
	const struct form *form = session != NULL ? form_of(session) : forms_find(pl_str(config->s.session_form));
	struct pl_str hello = form != NULL ? form_greeting(form, pl_jitter(1000)) : PL_STR_NONE, open = PL_STR_NONE;

	if (session != NULL && pl_str_is(session->answer, "interrupted"))
		hello = PL_STR(INTERRUPTED);
	else if (session != NULL && session->last_seq > 0)
		hello = PL_STR(RETURNED);
	if (hello.len == 0)
		return pl_str(pl_sprintf(pool, "Hello, this is %s. What can I do for you?", config->s.server_name));
	if (form != NULL && session != NULL)
		open = session_form_open(config, pool, form, session);
	return open.len > 0 ? pl_str(pl_sprintf(pool, "%.*s %.*s", PL_FMT(hello), PL_FMT(open))) : hello;
}

/* NULL: no value was collected. */
static const struct session_slot *slot_of(const struct session *session, const char *name)
{
	for (int i = 0; i < session->slots_count; i++)
		if (pl_str_is(session->slots[i].name, name))
			return session->slots[i].collected ? &session->slots[i] : NULL;
	return NULL;
}

struct pl_str session_collected(struct pl_pool *pool, const struct session *session)
{
	const struct form *form = form_of(session);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	for (int i = 0; form != NULL && i < form->count; i++)
		pl_jw_kbool(&w, form->slots[i].name, slot_of(session, form->slots[i].name) != NULL);
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}

struct pl_str session_data(struct pl_pool *pool, const struct session *session)
{
	const struct form *form = form_of(session);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	for (int i = 0; form != NULL && i < form->count; i++) {
		const struct form_slot *slot = &form->slots[i];
		const struct session_slot *filled = slot_of(session, slot->name);

		/* a value that was sealed when it was stored remains sealed, even if the form's file has changed */
		if (filled != NULL && (slot->s->sensitive || filled->sealed.len > 0))
			pl_jw_kcstr(&w, slot->name, pl_sprintf(pool, "[%s]", slot->s->label));
		else
			pl_jw_kstr(&w, slot->name, filled != NULL ? filled->value : PL_STR_NONE);
	}
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}
