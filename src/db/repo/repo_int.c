/* SPDX-License-Identifier: ISC */
/*
 * Common parts of the repositories.
 */
#include "db/repo/repo_int.h"

const char *const author_kind_words[] = { "user", "role", "system", NULL };
const char *const access_words[] = { "user", "analyst", "operator", "admin", NULL };

static const struct { const char *status; enum pl_code code; const char *text; } statuses[] = {
	{ "ok", PL_E_OK, NULL },
	{ "joined", PL_E_OK, NULL },
	{ "already", PL_E_OK, NULL },
	{ "not_found", PL_E_NOT_FOUND, NULL },
	{ "forbidden", PL_E_FORBIDDEN, NULL },
	{ "archived", PL_E_ARCHIVED, NULL },
	{ "banned", PL_E_CONFLICT, "This user is banned from the room; lift the ban first." },
	{ "conflict", PL_E_CONFLICT, NULL },
	{ "in_progress", PL_E_IN_PROGRESS, NULL },
	{ "ended", PL_E_CONFLICT, "The session has ended." },
	{ "session_limit", PL_E_SESSION_LIMIT, NULL },
	{ "taken_name", PL_E_TAKEN, "This name is already in use." },
	{ "taken_email", PL_E_TAKEN, "This e-mail address is already in use." },
	{ "taken_key", PL_E_TAKEN, "You have an API key of this name already." },
	{ "limit_keys", PL_E_CONFLICT, "You have as many API keys as are allowed (setting api_keys_per_user)." },
	{ "revoked", PL_E_REVOKED, NULL },
	{ "taken_shown", PL_E_TAKEN, "This display name is the name of another user or an AI role." },
	{ "limit", PL_E_CONFLICT, "You have reached the limit for objects of this kind." },
	{ "no_user", PL_E_NOT_FOUND, "No user has this name." },
	{ "closed", PL_E_CONFLICT, "The request has already ended." },
	{ "no_option", PL_E_INVALID, "The answer is not one of the options." },
	{ "not_above", PL_E_FORBIDDEN, "Only an account with a higher access level may do this." },
	{ "no_address", PL_E_CONFLICT, "The account is disabled, or has no e-mail address of its own." },
	{ "last_admin", PL_E_CONFLICT, "This is the last admin; make another account admin first." },
	{ "own_account", PL_E_CONFLICT, "This is your own account; delete it with POST /api/profile/delete." },
	{ "mfa_on", PL_E_CONFLICT, "A second factor is on already; turn it off first." },
	{ "mfa_off", PL_E_CONFLICT, "No second factor is on." },
	{ "mfa_none", PL_E_CONFLICT, "The account has no second factor." },
	{ "own_factor", PL_E_CONFLICT, "Turn off your own second factor with a code: POST /api/auth/mfa/totp/off." },
	{ "job_running", PL_E_CONFLICT, "The job is running." },
	{ "job_done", PL_E_CONFLICT, "The job is done." },
	{ "job_dropped", PL_E_CONFLICT, "The job was dropped before." },
	{ "job_needed", PL_E_CONFLICT, "The job deletes an account, and runs until that is done." },
	{ "job_exists", PL_E_CONFLICT, "A newer job of this kind has the same key." },
	{ "unconfirmed", PL_E_UNAUTHORIZED, NULL },
	{ "sign_in_again", PL_E_SIGN_IN_AGAIN, NULL },
	{ "wrong", PL_E_BAD_LOGIN, "The code is not correct." },
	{ "last_way_in", PL_E_CONFLICT, "This is your only way to sign in: set a password or link another first." },
	{ "self", PL_E_CONFLICT, "You cannot block yourself." },
	{ "not_author", PL_E_FORBIDDEN, "Only the author can edit a message." },
	{ "not_moderator", PL_E_FORBIDDEN, "Only its author, moderators, owners, and admins can delete a message." },
	{ "edit_late", PL_E_FORBIDDEN, "The time for editing this message has passed (setting edit_window)." },
	{ "delete_late", PL_E_FORBIDDEN, "The time for deleting this message has passed (setting delete_window)." },
	{ "reaction_limit", PL_E_CONFLICT, "The message has as many different reactions as are allowed (20)." },
	{ "pin_limit", PL_E_CONFLICT, "The room has as many pinned messages as are allowed (50); unpin one first." },
	{ "no_invite", PL_E_INVALID, "is not valid: it is unknown, or was used, revoked, or has expired" },
	{ "no_newcomers", PL_E_INVALID, "is only for people who have an account; log in, and join with it" },
	{ "no_room", PL_E_INVALID, "is for a new account: it leads into no room" },
	{ "no_role", PL_E_INVALID, "One of the roles does not exist." },
	{ "no_member", PL_E_FORBIDDEN, "Only members of the room can do this." },
	{ "seq_late", PL_E_INVALID, "must not be greater than the last seq of the room" },
};

bool repo_status_err(struct pl_str status, struct pl_err *err)
{
	for (size_t i = 0; i < PL_COUNT(statuses); i++) {
		if (pl_str_is(status, statuses[i].status)) {
			if (statuses[i].text != NULL)
				pl_err_set(err, statuses[i].code, "%s", statuses[i].text);
			else
				pl_err_set(err, statuses[i].code, NULL);
			return statuses[i].code == PL_E_OK;
		}
	}
	pl_bug("unknown status of an SQL function", __FILE__, __LINE__);
}

const struct pl_err *repo_not_found(struct pl_err *err)
{
	pl_err_set(err, PL_E_NOT_FOUND, NULL);
	return err;
}

bool repo_first(struct pgquery *query, const PGresult *res, struct pgrow *row_r, struct pl_err *bad)
{
	*row_r = pgrow_at(res, 0, query->task->pool);
	if (PQntuples(res) > 0)
		return true;
	pl_err_set(bad, PL_E_NOT_FOUND, NULL);
	return false;
}

bool repo_last_column(const PGresult *res, int row, struct pgrow *row_r)
{
	*row_r = pgrow_at(res, row, NULL);
	row_r->col = PQnfields(res) - 1;
	return row >= 0 && row < PQntuples(res);
}

int64_t repo_total_i64(const PGresult *res)
{
	struct pgrow row;

	return repo_last_column(res, 0, &row) ? pgrow_i64(&row) : 0;
}

double repo_total_f64(const PGresult *res)
{
	struct pgrow row;

	return repo_last_column(res, 0, &row) ? pgrow_f64_or(&row, 0) : 0;
}

void repo_on_done(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	bool good = true;

	if (query->done != NULL)
		((db_done_fn *)query->done)(query->arg, err == NULL ? &good : NULL, err);
}

void repo_on_count(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	int64_t count = 0;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, query->pool);

		count = pgrow_i64(&row);
	}
	if (query->done != NULL)
		((db_count_fn *)query->done)(query->arg, err == NULL ? &count : NULL, err);
}

void repo_on_bool(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	bool value = false;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, query->pool);

		value = pgrow_bool(&row);
	}
	if (query->done != NULL)
		((db_done_fn *)query->done)(query->arg, err == NULL ? &value : NULL, err);
}

void repo_on_status(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	struct pl_err bad;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, query->pool);

		PL_BUG(PQntuples(res) != 1);
		if (!repo_status_err(pgrow_text(&row), &bad))
			err = &bad;
	}
	repo_on_done(query, res, err);
}

void repo_on_ended(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	struct ended_list ended = { 0 };
	struct pl_err bad;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, query->task->pool);

		if (repo_status_err(pgrow_text(&row), &bad))
			ended.login_ids = pgrow_i64s(&row, &ended.count);
		else
			err = &bad;
	}
	if (query->done != NULL)
		((repo_ended_fn *)query->done)(query->arg, err == NULL ? &ended : NULL, err);
}

void repo_read_message(struct pgrow *row, struct message *message)
{
	message->room_id = pgrow_i64(row);
	message->seq = pgrow_i64(row);
	message->author_kind = pgrow_word(row, author_kind_words, AUTHOR_SYSTEM);
	message->author_id = pgrow_i64(row);
	message->author_name = pgrow_text(row);
	message->client_id = pgrow_text(row);
	message->content = pgrow_text(row);
	message->reply_to = pgrow_i64(row);
	message->generation_id = pgrow_text(row);
	message->meta = pgrow_text(row);
	message->created_us = pgrow_time(row);
	message->edited_us = pgrow_time(row);
	message->deleted_us = pgrow_time(row);
}

void repo_read_event(struct pgrow *row, struct room_event *event)
{
	struct message *m = &event->message;

	repo_read_message(row, m);
	event->is_message = pgrow_null(row);
	if (event->is_message)
		return;
	event->change = (struct room_change){.room_id = m->room_id,
	    .seq = m->seq,
	    .target_seq = m->reply_to,
	    .kind = pgrow_text(row),
	    .actor_kind = m->author_kind,
	    .actor_id = m->author_id,
	    .actor_name = m->author_name,
	    .body = m->meta,
	    .created_us = m->created_us};
	*m = (struct message){ .seq = 0 };
}

void repo_keep_limit(struct pgquery *query, int limit)
{
	int *kept = pl_alloc(query->pool, sizeof(*kept));

	PL_BUG(limit < 1 || limit > 100000);
	*kept = limit;
	query->extra = kept;
}

int repo_rows(const struct pgquery *query, const PGresult *res, bool *more_r)
{
	int limit = *(const int *)query->extra;
	int rows = PQntuples(res);

	*more_r = rows > limit;
	return *more_r ? limit : rows;
}

int repo_rows_fit(const struct pgquery *query, const PGresult *res, bool *more_r)
{
	int rows = repo_rows(query, res, more_r);
	struct pgrow last;

	if (!repo_last_column(res, rows - 1, &last) || !pgrow_bool(&last))
		return rows;
	*more_r = true;
	return rows - 1;
}
