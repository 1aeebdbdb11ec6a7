/* SPDX-License-Identifier: ISC */
/* Splits a message into clauses, and decides which of them are questions. */
#include "svc/read/read_int.h"

/* "3. March 1975", "March 3rd, 1975" */
static bool in_date(const struct read_message *m, int i)
{
	const struct token *t = &m->tokens[i];

	if (i == 0 || i + 1 >= m->count)
		return false;
	if (t[1].type == TOKEN_WORD && month_of(t[1].word) > 0)
		return t[-1].type == TOKEN_NUMBER && t[-1].text.len <= 2;
	if (t[1].type != TOKEN_NUMBER || t[1].text.len != 4 || i < 2)
		return false;
	return token_in(&t[-1], " st nd rd th ") || (t[-1].type == TOKEN_WORD && month_of(t[-1].word) > 0) ||
	    (t[-2].type == TOKEN_WORD && month_of(t[-2].word) > 0);
}

/* Does token i end a clause? */
static bool is_break(const struct read_message *m, int i)
{
	const struct token *t = &m->tokens[i], *next = i + 1 < m->count ? t + 1 : NULL;
	bool apart = next == NULL || !next->glued || next->type == TOKEN_SIGN;

	if (t->type != TOKEN_SIGN)
		return false;
	if (pl_str_is(t->text, "。") || pl_str_is(t->text, "，") || pl_str_is(t->text, "、") ||
	    pl_str_is(t->text, "！") || pl_str_is(t->text, "？") || pl_str_is(t->text, "؟") ||
	    pl_str_is(t->text, "،") || pl_str_is(t->text, "…") || pl_str_is(t->text, "—"))
		return true;
	if (t->word.len != 1 || memchr("!?;.,(<-", t->word.ptr[0], 8) == NULL)
		return false;
	if (t->word.ptr[0] == '(')
		return next == NULL || next->type != TOKEN_NUMBER;
	if (strchr("!?;<", t->word.ptr[0]) != NULL)
		return true;
	if (in_date(m, i))
		return false;
	if (t->word.ptr[0] == '-') /* "Ann - ann@example.org", but "50 - 60" */
		return !t->glued && apart && next != NULL && next->type != TOKEN_NUMBER;
	if (next != NULL && next->glued && sign_is(next, '-'))
		return false; /* "80.000,-" */
	return apart || t->word.ptr[0] == ',';
}

/* "and I earn ..", "but ..": a clause begins with this word. */
static bool is_start(const struct read_message *m, int i)
{
	static const char begins[] =
	    " i i'm im my you please call reach mail email e-mail write it's the also make earn together what "
	    "how when where can could do does is are that's this it ";
	static const char money[] = " i make earn have get ";

	if (token_in(&m->tokens[i], " but because although though however so "))
		return !token_in(&m->tokens[i], " so ") || (i + 1 < m->count && token_in(&m->tokens[i + 1], begins));
	if (i + 1 >= m->count)
		return false;
	if (token_in(&m->tokens[i], " and "))
		return token_in(&m->tokens[i + 1], begins) || m->tokens[i + 1].type == TOKEN_ADDRESS;
	/* "that's not my name its Bob", "no that's wrong it's 90k" */
	if (i > 1 && token_in(&m->tokens[i], " its it's ") &&
	    token_in(&m->tokens[i - 1],
		" name email e-mail mail address income salary number phone birthday wrong incorrect right "))
		return true;
	/* "Ann Lee my email is .." */
	return i > 0 && token_in(&m->tokens[i], " my ") &&
	    !token_in(&m->tokens[i - 1],
		" change update correct set fix is of in "
		"and call for to about use edit that's it's was by on from was with "
		"say says think thinks thought believe believes know knows claim claims if whether because ") &&
	    !(token_in(&m->tokens[i - 1], " said told ") && !(i > 1 && token_in(&m->tokens[i - 2], " i "))) &&
	    token_in(&m->tokens[i + 1], " name email e-mail mail income salary phone number address birthday ") &&
	    !token_in(&m->tokens[i], money);
}

bool read_clause_asks(const struct read_message *m, int from, int to)
{
	static const char lead[] =
	    " and but so ok okay well hi hello hey please sorry also or then thanks oh um hmm yes no ";

	for (int i = from; i < to; i++)
		if (m->tokens[i].type == TOKEN_WORD && script_asks(m->tokens[i].word))
			return true;
	while (from < to && (m->tokens[from].type == TOKEN_SIGN || token_in(&m->tokens[from], lead)))
		from++;
	if (from >= to || m->tokens[from].type != TOKEN_WORD)
		return false;
	if (token_in(&m->tokens[from], words_question))
		return true;
	/* "is 80k enough", "will 80k do" */
	if (token_in(&m->tokens[from], " is are was does do would will can ") && to - from > 2 &&
	    (m->tokens[from + 1].type == TOKEN_NUMBER || is_currency_sign(&m->tokens[from + 1])))
		return true;
	return token_in(&m->tokens[from], words_auxiliary) && from + 1 < to &&
	    token_in(&m->tokens[from + 1], words_pronoun) && !m->tokens[from + 1].dot && to - from > 2;
}

static bool ends_asking(const struct read_message *m, int to)
{
	for (; to < m->count && m->tokens[to].type == TOKEN_SIGN; to++)
		if (m->tokens[to].text.ptr[0] == '?' || pl_str_is(m->tokens[to].text, "？") ||
		    pl_str_is(m->tokens[to].text, "؟"))
			return true;
	return false;
}

static void add(struct read_message *m, int from, int to)
{
	if (from >= to)
		return;
	if (m->clauses_count == READ_CLAUSES_MAX) { /* the rest is one clause */
		m->clauses[READ_CLAUSES_MAX - 1].to = to;
		return;
	}
	m->clauses[m->clauses_count++] =
	    (struct clause){.from = from, .to = to, .asks = ends_asking(m, to) || read_clause_asks(m, from, to)};
}

static bool new_line(const struct read_message *m, int i)
{
	return i > 0 &&
	    memchr(m->text.ptr + m->tokens[i - 1].to, '\n', m->tokens[i].from - m->tokens[i - 1].to) != NULL;
}

void read_clauses(struct read_message *m)
{
	int from = 0;

	for (int i = 0; i < m->count; i++) {
		bool breaks = is_break(m, i);

		if (!breaks && !new_line(m, i) && !(i > from && is_start(m, i)))
			continue;
		add(m, from, i);
		from = breaks ? i + 1 : i;
	}
	add(m, from, m->count);
}

bool read_asks(const struct read_message *m)
{
	for (int i = 0; i < m->clauses_count; i++)
		if (m->clauses[i].asks)
			return true;
	return false;
}
