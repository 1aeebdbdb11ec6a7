/* SPDX-License-Identifier: ISC */
/*
 * The rules that read a question: what is counted, by which groups, and in which order. A word that no rule takes may
 * be a name. If it is not, the question is refused; no word is ignored, so that an answer always answers the question
 * that was asked.
 */
#include <stdio.h>

#include "svc/usage/intent_int.h"

static struct pl_str peek(const struct reader *r, int ahead)
{
	return token_word(&r->tokens, r->at + ahead);
}

static enum intent_dim dim_at(const struct reader *r)
{
	enum intent_dim dim;

	(void)dim_read(&r->tokens, r->at, &dim);
	return dim;
}

/* ---- names ---- */

/* May the token be part of a name that is not in quotation marks? */
static bool may_be_name(const struct reader *r, int at)
{
	struct pl_str word = token_word(&r->tokens, at);

	return word.len > 0 && !word_reserved(word);
}

static bool quoted_at(const struct reader *r, int at)
{
	return at < r->tokens.count && r->tokens.list[at].kind == TOKEN_QUOTED;
}

static enum intent_kind hinted(const struct reader *r)
{
	struct pl_str before = peek(r, -1);

	return word_among(before, "in") ? KIND_ROOM : word_among(before, "with using on via") ? KIND_MODEL :
	    word_among(before, "of by from for did has does") || r->tokens.list[r->at].possessive ? KIND_USER :
	    KIND_ANY;
}

static bool add_run(struct reader *r, enum intent_kind kind)
{
	struct intent *out = r->out;
	struct intent_run *run = &out->runs[out->run_count];

	if (out->run_count == INTENT_RUNS_MAX) {
		r->why = "there are too many names";
		return false;
	}
	*run = (struct intent_run){ .kind = kind, .hint = hinted(r) };
	if (kind == KIND_ANY && out->run_count > 0 && word_among(peek(r, -1), "and or vs versus") &&
	    run->hint == KIND_ANY)
		*run = (struct intent_run){ .kind = run[-1].kind, .hint = run[-1].hint };
	if (r->tokens.list[r->at].kind == TOKEN_QUOTED) {
		run->quoted = true;
		run->words[run->count++] = r->tokens.list[r->at++].text;
	} else {
		do {
			run->words[run->count++] = r->tokens.list[r->at++].text;
		} while (run->count < INTENT_RUN_WORDS && !r->tokens.list[r->at - 1].ends_clause &&
		    !r->tokens.list[r->at - 1].possessive && may_be_name(r, r->at));
		/* "in tea room", "the gpt-4o model": decided together with the name */
		if (run->count < INTENT_RUN_WORDS && !r->dim_next && word_among(peek(r, 0),
		    "room channel model role") &&
		    !r->tokens.list[r->at - 1].ends_clause && !may_be_name(r, r->at + 1) && !quoted_at(r, r->at + 1))
			run->words[run->count++] = r->tokens.list[r->at++].text;
	}
	out->run_count++;
	return true;
}

/* "user ann", "room \"Tea room\"", "users ann and ben" */
static bool read_filter(struct reader *r)
{
	struct pl_str word = peek(r, 0);
	enum intent_kind kind = word_among(word, "user users developer developers person people") ? KIND_USER :
	    word_among(word,
	    "room rooms channel channels") ? KIND_ROOM : word_among(word, "model models") ? KIND_MODEL :
	    word_among(word, "role roles") ? KIND_ROLE : KIND_ANY;
	bool quoted = quoted_at(r, r->at + 1);
	bool plural = word.len > 0 && (word.ptr[word.len - 1] | 0x20) == 's';

	if (kind == KIND_ANY || r->tokens.list[r->at].ends_clause || (!quoted && !may_be_name(r, r->at + 1)))
		return false;
	if (!quoted && (plural || word_among(word, "people")) && word_metric(word) != METRIC_NONE &&
	    r->out->metric == METRIC_NONE)
		return false;		/* "users kitchen": active users there */
	r->at++;
	return add_run(r, kind);
}

/* ---- groups ---- */

/* The unit of an average: "per session", "per user", "daily"; also "cost per session" without the word. */
static bool read_unit(struct reader *r)
{
	enum intent_dim dim = word_dim(peek(r, 0));
	struct intent *out = r->out;

	if (dim == DIM_NONE || out->unit != DIM_NONE)
		return false;
	if (dim == DIM_SESSION ? !r->per : !intent_averages(out) || !(r->per || word_among(peek(r, 0),
	    "hourly daily weekly monthly quarterly yearly")))
		return false;
	if (dim == DIM_SESSION && out->agg == AGG_SUM)
		out->agg = AGG_AVERAGE;
	out->unit = dim;
	r->dim_next = r->dim_maybe = r->top_next = r->per = false;
	r->at++;
	return true;
}

/* "models by cost", "days ranked by messages" */
static bool heads_list(const struct reader *r)
{
	struct pl_str word = peek(r, 0);

	return word_among(word, "models roles hours days weeks months quarters years weekdays developers") &&
	    word_among(peek(r, 1), "by ranked sorted ordered with that whose");
}

static bool read_dim(struct reader *r)
{
	struct pl_str word = peek(r, 0);
	enum intent_dim dim;
	int used = dim_read(&r->tokens, r->at, &dim);
	bool headed = (used > 1 || dim == DIM_WEEKDAY) && word_among(peek(r, -1), "what");	/* "what time of day" */

	if (used <= 1 && read_unit(r))
		return true;
	if (dim == DIM_NONE || dim == DIM_SESSION || (!r->dim_next && !r->dim_maybe && r->limit.count == 0 && !headed &&
	    !word_among(word, "hourly daily weekly monthly quarterly yearly") && !heads_list(r)) ||
	    (!r->dim_next && !r->dim_maybe && word_metric(word) != METRIC_NONE))
		return false;
	if (dim == DIM_USER && r->who && intent_has_dim(r->out, dim))
		r->who = false;		/* "who are the top users" */
	else if (!intent_add_dim(r, dim))
		return false;
	if (r->top_next)
		r->top_dim = r->out->dim_count;
	else if (r->dim_maybe)
		r->top_dim = 0;		/* "top 5 users and rooms": 5 pairs */
	r->dim_next = r->dim_maybe = r->top_next = r->per = false;
	r->dim_end = r->at += used;
	return true;
}

/* ---- what is counted ---- */

/* "session" in "average session cost" is the unit of the average. */
static bool session_is_unit(const struct reader *r)
{
	enum intent_metric next = word_metric(peek(r, 1));

	return intent_averages(r->out) && r->out->unit == DIM_NONE && word_among(peek(r, 0), "session conversation") &&
	    (next == METRIC_COST || next == METRIC_TOKENS || next == METRIC_ERRORS);
}

/* A metric after groups: "users with the most tokens", "rooms by cost" count tokens and cost, per user and room. */
static bool change_metric(struct reader *r, enum intent_metric metric)
{
	enum intent_metric had = r->out->metric;
	enum intent_dim things = had == METRIC_USERS ? DIM_USER : had == METRIC_ROOMS ? DIM_ROOM : DIM_NONE;

	if (things != DIM_NONE && (r->ranks || r->by)) {
		if (!intent_has_dim(r->out, things) && !intent_add_dim(r, things))
			return false;
		r->out->metric = metric;
		return true;
	}
	return things != DIM_NONE && metric == METRIC_MESSAGES;	/* "users who wrote messages" is about users */
}

static bool read_rate(struct reader *r)
{
	bool errors = word_among(peek(r, 0), "error errors failure") && word_among(peek(r, 1), "rate rates"),
	    acceptance = word_among(peek(r, 0), "acceptance");

	if (!errors && !acceptance)
		return false;
	if (r->out->metric != METRIC_NONE && !change_metric(r, errors ? METRIC_ERROR_RATE : METRIC_ACCEPTANCE))
		return false;
	r->out->metric = errors ? METRIC_ERROR_RATE : METRIC_ACCEPTANCE;
	r->dim_next = r->top_next = r->by = r->per = false;
	r->at += 1 + word_among(peek(r, 1), "rate rates");
	return true;
}

static bool read_metric(struct reader *r)
{
	enum intent_metric metric = word_metric(peek(r, 0)), had = r->out->metric;
	enum intent_dim things = had == METRIC_USERS ? DIM_USER : had == METRIC_ROOMS ? DIM_ROOM : DIM_NONE;

	if (metric == METRIC_NONE)
		return false;
	if (word_among(peek(r, 0), "token") && word_metric(peek(r, 1)) == METRIC_COST) {
		r->at++;			/* "token costs" are costs */
		return true;
	}
	if (session_is_unit(r)) {
		r->out->unit = DIM_SESSION;
		r->at++;
		return true;
	}
	if (r->dim_next && !(r->by && (r->out->dim_count > 0 || things != DIM_NONE)) &&
	    !(r->top_next && r->out->top == 0)) {
		r->why = NO_DIM;
		return false;
	}
	if (read_rate(r))
		return true;
	if (r->why != NULL)
		return false;
	if (had == METRIC_NONE)
		r->out->metric = metric;
	else if (had != metric && !change_metric(r, metric))
		return false;
	r->dim_next = r->top_next = r->by = r->per = false;
	r->at++;
	return true;
}

/* ---- order ---- */

static bool set_order(struct reader *r, enum intent_order order)
{
	if (r->out->order != ORDER_NONE && r->out->order != order) {
		r->why = "the question asks for both the most and the least";
		return false;
	}
	r->out->order = order;
	r->ranks = true;
	return true;
}

/* "cheapest", "busiest": order and metric in one word; the group follows. */
static bool read_superlative(struct reader *r)
{
	static const struct { const char *words; enum intent_order order; enum intent_metric metric; } table[] = {
		{ "cheapest", ORDER_LEAST, METRIC_COST }, { "priciest costliest", ORDER_MOST, METRIC_COST },
		{ "busiest", ORDER_MOST, METRIC_MESSAGES }, { "quietest", ORDER_LEAST, METRIC_MESSAGES },
	};
	for (size_t i = 0; i < PL_COUNT(table); i++) {
		int64_t n;

		if (!word_among(peek(r, 0), table[i].words))
			continue;
		if (r->out->metric != METRIC_NONE && r->out->metric != table[i].metric)
			return false;
		if (!set_order(r, table[i].order))
			return false;
		r->out->metric = table[i].metric;
		r->at++;
		if (r->out->top == 0 && word_count(peek(r, 0), &n)) {
			r->out->top = (int)n;
			r->at++;
		}
		if (dim_at(r) != DIM_NONE)
			r->dim_next = r->top_next = r->no_name = true;
		else
			r->dim_maybe = r->no_name = true;
		return true;
	}
	return false;
}

/* "the most expensive models", "the most active users", "most used": the metric of a ranking. */
static bool read_adjective(struct reader *r)
{
	struct pl_str word = peek(r, 0);

	if (word_among(word, "active")) {
		r->active = true;
	} else if (word_among(word, "expensive costly") && r->out->order != ORDER_NONE &&
	    (r->out->metric == METRIC_NONE || r->out->metric == METRIC_COST)) {
		r->out->metric = METRIC_COST;
	} else if (word_among(word, "used popular") && r->out->order != ORDER_NONE) {
		r->default_metric = true;
	} else {
		return false;
	}
	if (r->out->order != ORDER_NONE && !r->dim_next) {
		r->dim_maybe = true;
		r->no_name = true;
	}
	r->at++;
	return true;
}

/* "spenders" are users by cost. */
static bool read_spenders(struct reader *r)
{
	if (!word_among(peek(r, 0), "spender spenders") || r->out->order == ORDER_NONE ||
	    (r->out->metric != METRIC_NONE && r->out->metric != METRIC_COST))
		return false;
	r->out->metric = METRIC_COST;
	if (!(r->who && intent_has_dim(r->out, DIM_USER)) && !intent_add_dim(r, DIM_USER))
		return false;
	if (r->top_next)
		r->top_dim = r->out->dim_count;
	r->dim_next = r->dim_maybe = r->top_next = false;
	r->dim_end = ++r->at;
	return true;
}

/* "most", "top 5", "lowest 3", "rank": number and group follow. */
static bool read_rank(struct reader *r)
{
	struct pl_str word = peek(r, 0);
	enum intent_order order = word_among(word,
	    "top most highest biggest largest greatest rank ranks ranking ranked") ? ORDER_MOST :
	    word_among(word, "bottom least fewest lowest smallest") ? ORDER_LEAST : ORDER_NONE;
	int64_t n;

	if (order == ORDER_NONE)
		return false;
	if (!set_order(r, order))
		return false;
	r->at++;
	while (word_among(word, "ranked ranking rank ranks") && word_among(peek(r, 0), "of the all"))
		r->at++;
	if (word_count(peek(r, 0), &n)) {
		if (r->out->top != 0) {
			r->why = "there are two different numbers of rows";
			return false;
		}
		r->out->top = (int)n;
		r->at++;
	}
	if (word_among(word, "top bottom") || ((r->out->top != 0 || !word_among(word, "most least fewest")) &&
	    dim_at(r) != DIM_NONE && dim_at(r) != DIM_SESSION))
		r->top_next = r->dim_next = r->no_name = true;
	if (word_among(word, "ranked ranking rank ranks")) {
		r->dim_next = r->top_next = dim_at(r) != DIM_NONE;
		r->no_name = r->dim_next;
	}
	return true;
}

/* "the 5 users with the most tokens", "the 5 most expensive models", "the 3 cheapest models" */
static bool read_count(struct reader *r)
{
	struct pl_str next = peek(r, 1);
	enum intent_dim dim = word_dim(next);
	int64_t n;

	if (!word_count(peek(r, 0), &n) || r->out->top != 0 ||
	    !(word_among(next,
	    "most least highest lowest cheapest priciest busiest quietest biggest top largest smallest") ||
	    (dim != DIM_NONE && dim != DIM_SESSION && !intent_is_time(dim) && !intent_is_cycle(dim))))
		return false;
	r->out->top = (int)n;
	r->ranks = r->top_next = r->dim_next = r->no_name = true;
	r->at++;
	return true;
}

/* Reads what follows "per" and similar words. Any other word ends this state. */
static bool read_grouping(struct reader *r)
{
	struct pl_str word = peek(r, 0);

	if (word_among(word, "per by each every which across")) {
		r->ranks = r->ranks || word_among(word, "which");
		r->by = word_among(word, "by");
		r->per = word_among(word, "per each every");
		r->no_name = !r->by;
		r->top_next = false;
		r->dim_next = true;
		r->at++;
		return true;
	}
	if (r->at > 0 && r->at == r->dim_end && word_among(word, "and")) {
		r->dim_maybe = true;
		r->no_name = false;
		r->at++;
		return true;
	}
	if (!r->dim_next && !r->dim_maybe)
		return false;
	if ((!r->no_name && read_filter(r)) || read_dim(r)) {
		r->dim_next = r->dim_maybe = r->top_next = r->by = false;
		return true;
	}
	r->dim_maybe = false;
	return false;
}

/* ---- aggregates, comparison, trend ---- */

static bool read_aggregate(struct reader *r)
{
	struct pl_str word = peek(r, 0);
	enum intent_agg agg = word_among(word, "average avg mean averaged") ? AGG_AVERAGE : word_among(word, "median") ?
	    AGG_MEDIAN :
	    word_among(word, "share percentage percent proportion fraction shares %") ? AGG_SHARE : AGG_SUM;

	if (agg == AGG_SUM)
		return false;
	if (r->out->agg != AGG_SUM && r->out->agg != agg) {
		r->why = "the question asks for two ways to aggregate";
		return false;
	}
	r->out->agg = agg;
	r->at++;
	return true;
}

static bool read_comparison(struct reader *r)
{
	struct pl_str word = peek(r, 0);

	if (word_among(word, "vs versus")) {
		r->compares = true;
		r->out->versus = true;
	} else if (word_among(word, "compare compares compared comparison difference against") ||
	    (r->compares && word_among(word, "between"))) {
		r->compares = true;
	} else if (word_among(word, "than") || (word_among(word, "more less fewer higher lower") &&
	    (word_metric(peek(r, 1)) != METRIC_NONE || word_among(peek(r, 1), "than")))) {
		r->compares = true;
		r->changes = true;
	} else if (word_among(word, CHANGE_WORDS)) {
		r->changes = true;
	} else if (word_among(word, "trend trends trending timeline")) {
		r->trend = true;
	} else if (word_among(word, "over") && word_among(peek(r, 1), "time")) {
		r->trend = true;
		r->at++;
	} else {
		return false;
	}
	r->at++;
	return true;
}

/* "I want to see ...", "can I see": not about the user's own rows. */
static bool read_polite(struct reader *r)
{
	bool can = word_among(peek(r, 0), "can could may") && word_among(peek(r, 1), "i you we");
	int at = can ? 2 : 1;

	if (!can && !(word_among(peek(r, 0), "i") && word_among(peek(r, 1), "want need would wish like")) &&
	    !word_among(peek(r, 0), "i'd i’d"))
		return false;
	if (can && !word_among(peek(r, 2), "see get have know show tell give list"))
		return false;
	while (word_among(peek(r, at), "want need would wish like love to see know get have show tell me give list"))
		at++;
	if (at < 2)
		return false;
	r->at += at;
	return true;
}

/* "show me" adds nothing; "messages of me" are the user's own; "for me" may mean either. */
static bool read_me(struct reader *r)
{
	if (!word_among(peek(r, 0), "me") || !word_among(peek(r, -1), "of by from"))
		return false;
	r->out->mine = true;
	r->dim_next = r->by = false;
	r->at++;
	return true;
}

static bool read_small_words(struct reader *r)
{
	struct pl_str word = peek(r, 0);

	if (word_among(word, "who whose") && !intent_has_dim(r->out, DIM_USER) && r->out->metric != METRIC_USERS) {
		r->who = intent_add_dim(r, DIM_USER);
		r->dim_end = r->who ? 0 : r->dim_end;
	} else if (word_among(word, "used use uses using")) {
		r->used = true;
	} else if (word_among(word, "me") && word_among(peek(r, -1), "for user person developer")) {
		return false;
	} else if (word_among(word, "my mine i")) {
		r->out->mine = true;
	} else if (!word_filler(word) && !word_among(word, "who whose") && !(r->at == 0 && word_among(word,
	    "list find see hi hello hey"))) {
		return false;
	}
	r->at++;
	return r->why == NULL;
}

static bool read_word(struct reader *r)
{
	enum token_kind kind = r->tokens.list[r->at].kind;

	if (kind == TOKEN_QUOTED)
		return add_run(r, KIND_ANY);
	if (kind != TOKEN_WORD) {
		if (r->dim_next && kind != TOKEN_GONE && !(r->top_next && r->out->dim_count > 0))
			r->why = NO_DIM;
		r->at++;
		return r->why == NULL;
	}
	if (read_polite(r) || read_comparison(r) || read_aggregate(r) || read_spenders(r) || read_superlative(r) ||
	    (r->why == NULL && read_rank(r)) || (r->why == NULL && (read_count(r) || read_adjective(r) ||
	    read_grouping(r))))
		return true;
	if (r->why == NULL && ((!r->dim_next && (read_filter(r) || read_dim(r))) || (r->why == NULL && read_metric(r))))
		return true;
	if (r->why != NULL)
		return false;
	if (read_me(r) || read_small_words(r))
		return true;
	if (r->why != NULL || (r->dim_next && !r->by) || !may_be_name(r, r->at))
		return false;
	r->dim_next = r->by = false;		/* "messages by ann" */
	return add_run(r, KIND_ANY);
}

/* ---- refusals ---- */

static struct pl_str understood_so_far(struct pl_pool *pool, const struct reader *r, const struct periods *periods)
{
	struct pl_buf text = PL_BUF(pool);
	const struct intent *in = r->out;

	if (in->metric != METRIC_NONE)
		pl_buf_addf(&text, " %s", intent_metrics[in->metric]);
	for (int i = 0; i < in->dim_count; i++)
		pl_buf_addf(&text, "%s per %s", text.len > 0 ? "," : "", intent_dim_texts[in->dims[i]]);
	for (int i = 0; i < periods->count; i++)
		pl_buf_addf(&text, "%s %s", text.len > 0 ? "," : "", periods->list[i].text);
	return text.len > 0 ? pl_buf_str(&text) : PL_STR(" nothing");
}

static bool refuse(struct pl_pool *pool, const struct reader *r, const struct periods *periods, int bad,
    struct pl_err *err)
{
	struct pl_str word = bad >= 0 && bad < r->tokens.count ? r->tokens.list[bad].text : PL_STR_NONE;

	if (r->why == NULL || (word.ptr == NULL && r->out->metric == METRIC_NONE && r->out->run_count > 0)) {
		struct pl_buf text = PL_BUF(pool);

		pl_buf_addstr(&text, word);
		for (int i = 0; i < r->out->run_count; i++)
			for (int k = 0; k < r->out->runs[i].count; k++)
				pl_buf_addf(&text, "%s%.*s", text.len > 0 ? "\", \"" : "",
				    PL_FMT(r->out->runs[i].words[k]));
		word = pl_buf_str(&text);
	}
	if (r->why == NULL)
		return pl_err_field(err, pool, "body.query", "value_error",
		    "Understood:%.*s. Not understood: \"%.*s\". %s",
		    PL_FMT(understood_so_far(pool, r, periods)), PL_FMT(word), INTENT_CAN_ASK);
	if (word.ptr != NULL && word.len > 0)
		return pl_err_field(err, pool, "body.query", "value_error",
		    "Understood:%.*s. Not answered: %s, at \"%.*s\". %s",
		    PL_FMT(understood_so_far(pool, r, periods)), r->why, PL_FMT(word), INTENT_CAN_ASK);
	return pl_err_field(err, pool, "body.query", "value_error", "Understood:%.*s. Not answered: %s. %s",
	    PL_FMT(understood_so_far(pool, r, periods)), r->why, INTENT_CAN_ASK);
}

/* Continues after a word that is not understood, so that the refusal names all such words. */
static bool read_words(struct reader *r, struct pl_buf *unknown, int *bad_r)
{
	*bad_r = -1;
	while (r->at < r->tokens.count) {
		int at = r->at;

		if (read_word(r))
			continue;
		*bad_r = *bad_r < 0 ? at : *bad_r;
		if (r->why != NULL)
			return false;
		pl_buf_addf(unknown, "%s%.*s", unknown->len > 0 ? "\", \"" : "", PL_FMT(r->tokens.list[at].text));
		r->dim_next = r->dim_maybe = r->top_next = r->by = r->per = false;
		r->at = at + 1;
	}
	return *bad_r < 0;
}

bool intent_read(struct pl_pool *pool, struct pl_str question, struct intent_now now, struct intent *out,
    struct pl_err *err)
{
	struct reader *r = pl_alloc(pool, sizeof(*r));
	struct periods *periods = pl_alloc(pool, sizeof(*periods));
	struct pl_buf unknown = PL_BUF(pool);
	int bad = -1;

	*out = (struct intent){ .metric = METRIC_NONE };
	*r = (struct reader){ .out = out };
	*periods = (struct periods){ .count = 0 };
	r->why = tokens_split(pool, question, &r->tokens);
	if (r->why == NULL) {
		periods_read(pool, &r->tokens, now, periods);
		limits_read(&r->tokens, &r->limit);
		r->ranks = r->limit.count > 0;
		r->why = periods->why;
	}
	if (r->why != NULL)
		return pl_err_field(err, pool, "body.query", "value_error", "Not answered: %s%s%.*s%s. %s", r->why,
		    periods->where.ptr != NULL ? ", at \"" : "", PL_FMT(periods->where), periods->where.ptr != NULL ?
		    "\"" : "",
		    INTENT_CAN_ASK);
	if (!read_words(r, &unknown, &bad)) {
		if (unknown.len > 0)
			r->tokens.list[bad].text = pl_buf_str(&unknown);
		return refuse(pool, r, periods, bad, err);
	}
	if (r->dim_next && r->top_next && out->dim_count > 0) {
		r->dim_next = false;		/* "cost by model, top 3" */
		r->top_dim = out->dim_count == 1 ? 1 : 0;
	}
	if (r->dim_next)
		r->why = NO_DIM;
	intent_finish(r, periods, now);
	r->why = r->why != NULL ? r->why : intent_misfit(out);
	if (r->why != NULL)
		return refuse(pool, r, periods, -1, err);
	if (out->top != 0 && out->dim_count == INTENT_DIMS_MAX && r->top_dim != 0)
		out->each = INTENT_DIMS_MAX + 1 - r->top_dim;
	return true;
}
