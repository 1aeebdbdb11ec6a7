/* SPDX-License-Identifier: ISC */
/* The values of a message: collects candidates clause by clause, then rates each by all words that are left over. */
#include "svc/read/read_int.h"

#define CANDIDATES_MAX 16 /* more of them contain several values in any case */
#define LEFT_FEW 4        /* maximum of words left over in a clause whose value is proposed */
#define LEFT_MORE 8       /* the same after "no, it's" */
#define ASKED_WORDS 3     /* "80k?" is an uncertain answer */
#define THOUGHT_WORDS 3   /* "80k, I think" */

static const char words_rest[] = " million thousand billion hundred lakh crore dot com org net "; /* "80, million" */
static const char words_mine[] = " i i'm i've i'd my me mine myself am im ich mein meine je mon moi yo mi ";

struct candidate {
	struct found found;
	int from, to, clause, left; /* left: words of its clause that were not understood */
	bool explicit, whole, told_weakly, negated, correction, foreign, doubt, asked, partial, greeted;
};

struct reading {
	struct read_message *m;
	const struct read_want *want;
	struct candidate found[CANDIDATES_MAX];
	int count;
};

struct read_message *read_message(struct pl_pool *pool, struct pl_str text)
{
	struct read_message *m;

	if (text.len > READ_TEXT_MAX || !pl_utf8_ok(text.ptr, text.len))
		return NULL;
	m = pl_alloc(pool, sizeof(*m));
	*m = (struct read_message){.pool = pool, .text = pl_str_dup(pool, text)};
	m->tokens = pl_alloc(pool, READ_TOKENS_MAX * sizeof(*m->tokens));
	m->clauses = pl_alloc(pool, READ_CLAUSES_MAX * sizeof(*m->clauses));
	if (!read_tokens(m))
		return NULL;
	read_clauses(m);
	for (int i = 0; i < m->count; i++)
		for (int n = phrase_at(m, i, m->count, phrases_filler); n > 0; n--)
			m->tokens[i + n - 1].filler = true;
	return m;
}

/* ---- words without meaning ---- */

static bool is_harmless(const struct token *t)
{
	return t->type == TOKEN_SIGN && (t->word.len != 1 || strchr(".,!?;:\"'()[]<>-*~", t->word.ptr[0]) != NULL) &&
	    (t->word.len != 2 || (unsigned char)t->word.ptr[0] != 0xc3); /* "×", "÷" */
}

static int skip_fillers(const struct read_message *m, int at, int to, bool *correction)
{
	static const char corrects[] = " no nope nah sorry actually wait oops correction rather but instead ";
	int n;

	while (at < to) {
		if ((n = phrase_at(m, at, to, phrases_filler)) > 0) {
			at += n;
		} else if (is_harmless(&m->tokens[at]) || token_in(&m->tokens[at], words_filler) ||
		    token_in(&m->tokens[at], " but instead ")) {
			*correction = *correction || token_in(&m->tokens[at], corrects);
			at++;
		} else {
			break;
		}
	}
	return at;
}

static int skip_about(const struct read_message *m, int at, int to, enum read_kind kind)
{
	int n;

	while (at < to) {
		if (kind == READ_AMOUNT && (n = phrase_at(m, at, to, phrases_about)) > 0)
			at += n;
		else if (is_harmless(&m->tokens[at]) &&
		    !(sign_is(&m->tokens[at], '-') && at + 1 < to && m->tokens[at + 1].glued) &&
		    !(kind == READ_PHONE && sign_is(&m->tokens[at], '(')))
			at++;
		else if (pl_str_is(m->tokens[at].text, "=") || token_in(&m->tokens[at], " just exactly now "))
			at++;
		else
			break;
	}
	return at;
}

static bool clause_has(const struct read_message *m, const struct clause *c, const char *table)
{
	for (int i = c->from; i < c->to; i++)
		if (token_in(&m->tokens[i], table))
			return true;
	return false;
}

/* ---- candidates ---- */

static bool value_at(
    const struct read_message *m, const struct read_want *want, int at, int to, bool told, struct found *out)
{
	if (at >= to)
		return false;
	switch (want->kind) {
	case READ_NAME:
		return name_at(m, at, to, told, out);
	case READ_EMAIL:
		return address_at(m, at, to, out);
	case READ_AMOUNT:
		return amount_at(m, at, to, out);
	case READ_DATE:
		return date_at(m, at, to, out);
	case READ_PHONE:
		return phone_at(m, at, to, out);
	}
	return false;
}

static struct candidate *add(struct reading *r, int from, int clause, const struct found *found)
{
	struct candidate *c = &r->found[r->count < CANDIDATES_MAX ? r->count++ : CANDIDATES_MAX - 1];

	*c = (struct candidate){.found = *found, .from = from, .to = found->to, .clause = clause};
	return c;
}

/* "80k, no": a "no" after a value refers to the value. */
static bool takes_back(const struct token *t)
{
	return !t->filler && token_in(t, " no nope nah wait oops nein non não нет ");
}

/* Reads what may follow a value: words without meaning, "is my name", "not Ann". */
static int tail(struct reading *r, struct candidate *c, int at, int to, int clause)
{
	const struct read_message *m = r->m;
	bool correction = false, link;
	struct found old;
	int n;

	for (;;) {
		int start = at;

		at = skip_fillers(m, at, to, &correction);
		for (int i = start; i < at; i++)
			c->partial = c->partial || takes_back(&m->tokens[i]);
		if (at < to && r->want->kind == READ_AMOUNT && (n = phrase_at(m, at, to, phrases_after)) > 0)
			at += n;
		if (at < to && (n = phrase_at(m, at, to, phrases_said)) > 0)
			at += n;
		if (at < to && (n = phrase_at(m, at, to, "is my|are my|as my|is the|for my|is|as")) > 0) {
			int words;

			while (at + n < to && token_in(&m->tokens[at + n], words_adjective) &&
			    own_words(m, r->want, at + n, to, &link) == 0)
				n++;
			words = own_words(m, r->want, at + n, to, &link);
			if (words > 0) {
				c->explicit = true;
				at += n + words;
			}
		}
		if (at < to && token_in(&m->tokens[at], " not ") && value_at(m, r->want, at + 1, to, true, &old)) {
			struct candidate *bad = add(r, at + 1, clause, &old);

			bad->negated = true;
			at = old.to;
		}
		if (at == start)
			return at;
	}
}

/* Counts the words of the clause that are outside [from, to) and have a meaning. */
static int count_left(const struct read_message *m, const struct clause *c, int from, int to)
{
	int left = 0;

	for (int i = c->from; i < c->to; i++)
		left += (i < from || i >= to) && !m->tokens[i].filler && !is_harmless(&m->tokens[i]) &&
		    !token_in(&m->tokens[i], words_filler);
	return left;
}

/* "wife", "wife's" */
static bool is_other(const struct token *t)
{
	struct token owner = *t;

	if (owner.word.len > 2 && memcmp(owner.word.ptr + owner.word.len - 2, "'s", 2) == 0)
		owner.word.len -= 2;
	return token_in(t, words_third) || token_in(&owner, words_third);
}

/* Is the clause about another person, or about something paid, ordered, or numbered? */
static bool is_foreign(const struct reading *r, const struct clause *clause, bool framed)
{
	for (int i = clause->from; i < clause->to; i++) {
		const struct token *t = &r->m->tokens[i];

		if (t->type != TOKEN_WORD || t->filler || is_own_word(r->want, t->word) ||
		    (framed && token_in(t, " you ")))
			continue;
		if (is_other(t))
			return true;
		if (r->want->kind != READ_NAME && token_in(t, words_past))
			return true;
	}
	return false;
}

static void qualify(struct reading *r, struct candidate *c, const struct clause *clause)
{
	const struct read_message *m = r->m;
	const struct token *before = c->from > 0 ? &m->tokens[c->from - 1] : NULL;

	c->foreign = !c->explicit && is_foreign(r, clause, c->told_weakly);
	c->doubt = clause_has(m, clause, words_doubt) ||
	    (r->want->kind == READ_AMOUNT && !c->whole && clause_has(m, clause, words_bound));
	c->asked = clause->asks && !(count_left(m, clause, c->from, c->to) == 0 && c->to - c->from <= ASKED_WORDS);
	c->doubt = c->doubt || clause->asks;
	c->greeted = r->want->kind == READ_NAME && before != NULL && before->type == TOKEN_WORD &&
	    c->from > clause->from &&
	    token_in(before, " hi hello hey hallo hola dear thanks thx cheers bye sorry no greetings morning you ");
	for (int i = c->from - 1; r->want->kind == READ_NAME && !c->explicit && !c->told_weakly && i >= 0; i--) {
		if (m->tokens[i].type == TOKEN_SIGN && !sign_is(&m->tokens[i], '.') && !sign_is(&m->tokens[i], '!'))
			continue; /* "Thanks, Ann" */
		c->greeted = c->greeted || token_in(&m->tokens[i], " thanks thank thx cheers you bye ");
		break;
	}
	/* "stop sending mail to ann@example.org" */
	if (!c->whole &&
	    (clause_has(m, clause, words_not) || clause_has(m, clause, " wrong delete remove erase unsubscribe ")))
		c->negated = true;
	if (!c->negated)
		c->negated = before != NULL && token_in(before, words_not) && c->from > clause->from;
}

/* A clause that only denies: "not Ann Lee". Returns the first token after the value; -1: not such a clause. */
static int scan_denied(struct reading *r, int index, int at)
{
	struct read_message *m = r->m;
	const struct clause *clause = &m->clauses[index];
	struct candidate *c;
	struct found found;

	if (at >= clause->to || !token_in(&m->tokens[at], " not ") ||
	    !value_at(m, r->want, at + 1, clause->to, true, &found))
		return -1;
	c = add(r, at + 1, index, &found);
	c->negated = true;
	if (count_left(m, clause, at, found.to) == 0)
		for (int i = clause->from; i < found.to; i++)
			m->tokens[i].known = true;
	return found.to;
}

/* Finds the value at its expected place: after the frame of the clause, or at its beginning. */
static int scan_start(struct reading *r, int index)
{
	struct read_message *m = r->m;
	const struct clause *clause = &m->clauses[index];
	bool correction = false;
	int at = skip_fillers(m, clause->from, clause->to, &correction), end, limit = clause->to, start = at;
	struct frame f = {.to = at};
	struct candidate *c;
	struct found found;
	bool framed = frame_at(m, r->want, at, clause->to, &f);

	if ((end = scan_denied(r, index, at)) >= 0)
		return end;
	/* "you" may have no meaning, or begin "you can call me" */
	for (int i = clause->from; i < at && !(framed && f.explicit); i++) {
		struct frame other;

		if (frame_at(m, r->want, i, clause->to, &other) && other.explicit) {
			framed = true;
			f = other;
			start = i;
		}
	}
	at = skip_about(m, f.to, clause->to, r->want->kind);
	if (framed && f.explicit && r->want->kind == READ_NAME)
		at = skip_fillers(m, at, clause->to, &correction);
	if (!value_at(m, r->want, at, limit, framed && f.explicit && !f.partial, &found)) {
		/* the filler is the name, or a value without a frame: "An Nguyen", "it" */
		at = clause->from;
		framed = false;
		f = (struct frame){.to = at};
		if (!value_at(m, r->want, at, limit, false, &found))
			return -1;
	}
	/* two unknown words after "I'm" are a name */
	if (framed && r->want->kind == READ_NAME && found.marked && found.to - at > 1 &&
	    token_in(&m->tokens[f.to - 1], " i'm am im "))
		found.verdict = READ_SURE;
	c = add(r, at, index, &found);
	c->explicit = framed && f.explicit;
	c->told_weakly = framed && !f.explicit;
	c->correction = correction || f.correction;
	/* "no me llamo Carlos" denies, "no, my name is Bob" does not; in "you mail me at .." another person acts */
	c->partial = f.partial ||
	    (framed && start > clause->from && token_in(&m->tokens[start - 1], " no não non ne nicht you "));
	if (framed && c->found.per == READ_PER_NONE)
		c->found.per = f.per;
	end = tail(r, c, found.to, clause->to > found.to ? clause->to : found.to, index);
	c->whole = end >= clause->to;
	c->left = c->whole ? 0 : count_left(m, clause, clause->from, end);
	qualify(r, c, clause);
	/* for other kinds, a word that may be a name still counts as left over: "80, million" */
	if (c->whole && (r->want->asked || c->explicit || r->want->kind != READ_NAME || found.verdict == READ_SURE))
		for (int i = clause->from; i < end; i++)
			m->tokens[i].known = true;
	return found.to;
}

/* Finds values elsewhere in the clause. */
static void scan_rest(struct reading *r, int index, int from)
{
	struct read_message *m = r->m;
	const struct clause *clause = &m->clauses[index];
	struct found found;

	for (int at = from; at < clause->to && r->count < CANDIDATES_MAX; at++) {
		struct candidate *c;
		bool seen = false;

		for (int i = 0; i < r->count; i++)
			seen = seen || (at >= r->found[i].from && at < r->found[i].to);
		if (seen || !value_at(m, r->want, at, clause->to, false, &found))
			continue;
		c = add(r, at, index, &found);
		c->left = count_left(m, clause, at, found.to);
		qualify(r, c, clause);
		at = found.to - 1;
	}
}

static void scan(struct reading *r)
{
	for (int i = 0; i < r->m->clauses_count && r->count < CANDIDATES_MAX; i++) {
		int at = r->m->clauses[i].from;

		if (r->count > 0 && r->found[r->count - 1].to > at)
			continue; /* the comma of "Smith, John" does not end it */
		at = scan_start(r, i);
		if (r->want->kind != READ_NAME)
			scan_rest(r, i, at >= 0 ? at : r->m->clauses[i].from);
	}
}

/* ---- rating ---- */

static bool is_left(const struct token *t)
{
	return !t->known && !t->filler && !is_harmless(t) && !token_in(t, words_filler);
}

static bool is_bracketed(const struct read_message *m, const struct clause *c)
{
	return c->from > 0 && sign_is(&m->tokens[c->from - 1], '(');
}

/* "my wife" before "and I earn ..": the statement is about both. */
static bool is_joined(const struct read_message *m, const struct clause *c, const struct clause *next)
{
	return c->to == next->from && token_in(&m->tokens[next->from], " and ") &&
	    token_in(&m->tokens[c->to - 1], words_third);
}

/* Are there clauses next to the value that were not understood? change: one of them may change it. */
static bool left_beside(const struct read_message *m, const struct candidate *value, bool *change)
{
	const struct clause *own = &m->clauses[value->clause];
	bool left = false, mine = value->explicit && clause_has(m, own, words_mine);

	*change = false;
	for (int i = 0; i < m->clauses_count; i++) {
		const struct clause *c = &m->clauses[i];
		bool here = false, others = false, few = c->to - c->from <= THOUGHT_WORDS;

		if (i == value->clause)
			continue;
		for (int t = c->from; t < c->to; t++) {
			others = others || (!c->asks && is_other(&m->tokens[t]));
			here = here || (is_left(&m->tokens[t]) && (t < value->from || t >= value->to));
			*change = *change || (i > value->clause && t >= value->to && takes_back(&m->tokens[t]));
		}
		if (!here)
			continue;
		*change = *change || clause_has(m, c, words_change) ||
		    (value->found.marked && clause_has(m, c, words_bound)) ||
		    (others && (!mine || is_bracketed(m, c))) || is_joined(m, c, own) ||
		    (few && !c->asks && (clause_has(m, c, words_doubt) || clause_has(m, c, words_rest)));
		left = left ||
		    !(c->asks ||
			(value->found.marked && value->whole &&
			    phrase_at(m, c->from, c->to, "i have|i've|i'm|i am|we have|there are") > 0));
	}
	return left;
}

static bool same(struct pl_str a, struct pl_str b)
{
	return pl_str_ieq(a, b);
}

static bool is_open(const struct candidate *c)
{
	return !c->negated && !c->foreign && !c->asked;
}

/* "no wait its Marvin Okonkwo with two k at the end": the rest explains the name, so it is proposed. */
static bool corrects_name(const struct reading *r, const struct candidate *c)
{
	return r->want->kind == READ_NAME && c->correction && c->from > 0 &&
	    token_in(&r->m->tokens[c->from - 1], " it's its ");
}

/* The best candidate, whether there is a different value, and the denied value. */
struct choice {
	struct candidate *best, *other, *last;
	bool denied, denied_old;
};

static void consider(struct reading *r, struct choice *out, bool only_good)
{
	*out = (struct choice){.best = NULL};
	for (int i = 0; i < r->count; i++) {
		struct candidate *c = &r->found[i];

		if (c->negated) {
			out->denied = true;
			out->denied_old =
			    out->denied_old || (r->want->old.ptr != NULL && same(c->found.value, r->want->old));
		}
		if (r->want->kind == READ_NAME && !c->whole && c->found.verdict != READ_SURE && !corrects_name(r, c))
			continue; /* a word that is not a known name, next to others */
		if (!is_open(c) || (only_good && !c->whole && !c->found.marked))
			continue;
		if (out->best != NULL && !same(out->best->found.value, c->found.value))
			out->other = c->explicit && !out->best->explicit && r->want->kind == READ_NAME ? NULL : c;
		if (out->best == NULL || (c->explicit && !out->best->explicit) ||
		    (c->whole && !out->best->whole && !out->best->explicit))
			out->best = c;
		out->last = c;
	}
	if (out->other == out->best && out->best != NULL)
		for (int i = 0; i < r->count; i++)
			if (is_open(&r->found[i]) && !same(r->found[i].found.value, out->best->found.value) &&
			    !(only_good && !r->found[i].whole && !r->found[i].found.marked))
				out->other = &r->found[i];
}

static struct pl_str raw_of(const struct read_message *m, const struct candidate *c)
{
	return pl_strn(m->text.ptr + m->tokens[c->from].from, m->tokens[c->to - 1].to - m->tokens[c->from].from);
}

/* "I make 90k views", "I earn 500 points per purchase" */
static bool is_count(const struct read_message *m, const struct candidate *c)
{
	static const char goes_on[] =
	    " at for as in with from working on since before after including plus and but though now ";
	const struct clause *clause = &m->clauses[c->clause];
	const struct token *next = c->to < clause->to ? &m->tokens[c->to] : NULL;

	return !c->whole &&
	    (!c->explicit || (next != NULL && next->type == TOKEN_WORD && !token_in(next, goes_on)) ||
		(!c->found.marked && next != NULL));
}

static enum read_verdict judge(struct reading *r, const struct choice *choice, const struct candidate *c)
{
	bool change, left = left_beside(r->m, c, &change);
	enum read_per per = r->want->per;

	if (r->want->kind == READ_AMOUNT && !r->want->asked && is_count(r->m, c))
		return READ_NOTHING;
	if (c->found.verdict == READ_RANGE)
		return READ_RANGE;
	if (c->found.per != READ_PER_NONE && c->found.per != per)
		return per == READ_PER_NONE ? READ_UNSURE : READ_RATE;
	if (!c->whole && r->want->kind == READ_NAME && c->found.verdict != READ_SURE && !corrects_name(r, c))
		return READ_NOTHING;
	if (!c->whole && r->want->kind != READ_EMAIL &&
	    (c->left > (corrects_name(r, c) ? LEFT_MORE : LEFT_FEW) ||
		(r->want->kind == READ_AMOUNT && !c->found.marked && !c->explicit && c->left > 1)))
		return READ_NOTHING;
	if (!c->whole || c->doubt || c->partial || c->greeted || change)
		return READ_UNSURE;
	if (choice->denied)
		return choice->denied_old ? c->found.verdict : READ_UNSURE;
	if (left && !c->explicit && !(r->want->kind == READ_NAME && c->told_weakly))
		return READ_UNSURE;
	return c->found.verdict;
}

static void decide(struct reading *r, struct read_value *out)
{
	struct choice choice;
	struct candidate *c;

	*out = (struct read_value){.verdict = READ_NOTHING};
	consider(r, &choice, false);
	if (choice.other != NULL && r->want->kind == READ_AMOUNT)
		consider(r, &choice, true); /* "I have 2 jobs" is not an amount if there is another one */
	c = choice.best;
	if (c == NULL)
		return;
	out->verdict = judge(r, &choice, c);
	if (choice.other != NULL && !same(choice.other->found.value, c->found.value)) {
		bool corrects = choice.last->correction && choice.last->whole;

		out->verdict = corrects ? READ_UNSURE : READ_SEVERAL;
		out->other = corrects ? PL_STR_NONE : choice.other->found.value;
		c = corrects ? choice.last : c;
	} else if (out->verdict == READ_RANGE) {
		out->other = c->found.other;
	}
	out->value = c->found.value;
	out->raw = raw_of(r->m, c);
	out->per = c->found.per;
	out->explicit = c->explicit;
	out->correction = c->correction || choice.denied;
}

void read_values(struct read_message *m, const struct read_want *wants, int count, struct read_value *out)
{
	struct reading *readings = pl_alloc(m->pool, ((size_t)count + 1) * sizeof(*readings));

	for (int i = 0; i < m->count; i++)
		m->tokens[i].known = false;
	for (int i = 0; i < count; i++) {
		readings[i] = (struct reading){.m = m, .want = &wants[i]};
		scan(&readings[i]);
	}
	for (int i = 0; i < count; i++)
		decide(&readings[i], &out[i]);
}

bool read_has_left(const struct read_message *m)
{
	for (int i = 0; i < m->count; i++)
		if (is_left(&m->tokens[i]))
			return true;
	return false;
}

bool read_names(const struct read_message *m, const struct read_want *want)
{
	for (int i = 0; i < m->count; i++)
		if (m->tokens[i].type == TOKEN_WORD && is_own_word(want, m->tokens[i].word))
			return true;
	return false;
}

int read_spans(struct read_message *m, enum read_kind kind, struct read_span *spans, int max)
{
	const struct read_want want = {.kind = kind, .says = ""};
	struct found found;
	int count = 0;

	for (int at = 0; at < m->count && count < max; at++) {
		if (!value_at(m, &want, at, m->count, false, &found) ||
		    (kind == READ_NAME && found.verdict != READ_SURE && !found.marked))
			continue;
		spans[count++] = (struct read_span){m->tokens[at].from, m->tokens[found.to - 1].to};
		at = found.to - 1;
	}
	return count;
}

/* ---- values of a model ---- */

/* Finds the tokens of `raw` in the message; false: it is missing, or is only a part of words. */
static bool locate(const struct read_message *m, struct pl_str raw, int *from_r, int *to_r)
{
	const char *at = raw.len > 0 ? memmem(m->text.ptr, m->text.len, raw.ptr, raw.len) : NULL;
	size_t from, to;

	if (at == NULL)
		return false;
	from = (size_t)(at - m->text.ptr);
	to = from + raw.len;
	*from_r = *to_r = -1;
	for (int i = 0; i < m->count; i++) {
		if (m->tokens[i].from == from)
			*from_r = i;
		if (m->tokens[i].to == to || (m->tokens[i].dot && m->tokens[i].to == to + 1))
			*to_r = i + 1;
	}
	return *from_r >= 0 && *to_r > *from_r;
}

/* May a model that has read the whole message be certain of the value? */
static bool is_clear(const struct reading *r, const struct choice *choice, const struct candidate *c)
{
	static const char before[] = " is use be as it's try this under ";
	const struct clause *clause = &r->m->clauses[c->clause];
	bool change;

	(void)left_beside(r->m, c, &change);
	if (change || choice->denied || choice->other != NULL || c->doubt || c->partial || c->greeted)
		return false;
	if (c->found.verdict != READ_SURE && !(r->want->kind == READ_NAME && c->found.marked))
		return false;
	return c->whole ||
	    (r->want->kind == READ_EMAIL && !clause_has(r->m, clause, words_change) &&
		(c->from == clause->from || r->m->tokens[c->from - 1].type == TOKEN_SIGN ||
		    token_in(&r->m->tokens[c->from - 1], before)));
}

/* Finds the candidate that equals the model's value. The rest of the message counts as for our own candidates. */
static enum read_verdict check_candidate(
    struct reading *r, struct candidate *c, struct pl_str raw, struct read_value *out)
{
	struct choice choice;
	enum read_verdict verdict;

	consider(r, &choice, false);
	if (choice.other != NULL && r->want->kind == READ_AMOUNT)
		consider(r, &choice, true);
	if (choice.other != NULL && same(choice.other->found.value, c->found.value))
		choice.other = choice.best;
	if (!is_open(c))
		return READ_NOTHING;
	verdict = judge(r, &choice, c);
	if (verdict == READ_RANGE || verdict == READ_RATE || verdict == READ_NOTHING)
		return READ_NOTHING;
	if (choice.other != NULL)
		verdict = READ_UNSURE;
	out->value = c->found.value;
	out->raw = raw_of(r->m, c);
	out->explicit = c->explicit;
	return verdict == READ_SURE || (pl_str_eq(raw, out->raw) && is_clear(r, &choice, c)) ? READ_SURE : READ_UNSURE;
}

/* A name in a sentence that the reader does not understand: "people know me as Ann Lee". */
static enum read_verdict check_name(struct reading *r, int from, int to, struct read_value *out)
{
	static const char before[] = " as is am i'm called named name it's ", own[] = " me my i i'm mine myself ";
	struct candidate *c;
	struct found found;

	if (from == 0 || !token_in(&r->m->tokens[from - 1], before) ||
	    !name_at(r->m, from, r->m->count, false, &found) || found.to != to || found.verdict != READ_SURE)
		return READ_NOTHING;
	for (int i = 0; i < r->m->clauses_count; i++) {
		const struct clause *clause = &r->m->clauses[i];

		if (from < clause->from || from >= clause->to)
			continue;
		if (clause->asks || !clause_has(r->m, clause, own) || clause_has(r->m, clause, words_not))
			return READ_NOTHING;
		c = add(r, from, i, &found);
		c->whole = true;
		return check_candidate(r, c, raw_of(r->m, c), out);
	}
	return READ_NOTHING;
}

enum read_verdict read_check(
    struct read_message *m, const struct read_want *want, struct pl_str raw, struct read_value *out)
{
	struct reading *r = pl_alloc(m->pool, sizeof(*r));
	struct read_want alone = *want;
	struct read_message *part;
	struct read_value own;
	int from, to;

	*out = (struct read_value){.verdict = READ_NOTHING};
	*r = (struct reading){.m = m, .want = want};
	part = locate(m, raw, &from, &to) ? read_message(m->pool, raw) : NULL;
	if (part == NULL || part->count == 0)
		return READ_NOTHING;
	alone.asked = true;
	read_values(part, &alone, 1, &own);
	if (own.verdict != READ_SURE && own.verdict != READ_UNSURE)
		return READ_NOTHING;
	scan(r);
	for (int i = 0; i < r->count; i++)
		if (r->found[i].from < to && r->found[i].to > from)
			return same(r->found[i].found.value, own.value)
			    ? out->verdict = check_candidate(r, &r->found[i], raw, out)
			    : READ_NOTHING;
	return out->verdict = want->kind == READ_NAME && want->asked ? check_name(r, from, to, out) : READ_NOTHING;
}
