/* SPDX-License-Identifier: ISC */
/*
 * Mails about a lead: one to each address of lead_mail_to, with all values that are not sensitive. If lead_mail_person
 * is on, also a note of thanks to the person, without any value: otherwise, somebody who types another person's address
 * into a form could send that person a text.
 */
#include "svc/session/lead.h"

#include "json.h"

#define SHOWN 8

static struct pl_str team_text(const struct lead *lead, const struct config *config, struct pl_pool *pool)
{
	struct pl_buf out = PL_BUF(pool);

	pl_buf_addf(&out, "%s at %s: %s\n\n", lead->form->title, config->s.server_name,
	    lead->handed_over ? "the form did not get on, a person is needed." : "the form is complete.");
	for (int i = 0; i < lead->form->count; i++) {
		const struct form_slot_settings *s = lead->form->slots[i].s;

		if (!lead->filled[i])
			pl_buf_addf(&out, "%s: -\n", s->label);
		else if (s->sensitive)
			pl_buf_addf(&out, "%s: sealed\n", s->label);
		else
			pl_buf_addf(&out, "%s: %.*s\n", s->label, PL_FMT(lead->values[i]));
	}
	pl_buf_addf(&out, "\nAccount: %.*s\nSession: %.*s\n\n",
	    PL_FMT(lead->account.ptr != NULL ? lead->account : PL_STR("guest")), SHOWN, lead->session);
	pl_buf_adds(&out, "What is corrected later stands in the view v_session_data.\n");
	return pl_buf_str(&out);
}

static struct pl_str person_text(const struct lead *lead, const struct config *config, struct pl_pool *pool)
{
	return pl_str(pl_sprintf(pool,
	    "Thank you: \"%s\" is complete at %s.\n\nThis address was given there. If it was not you who "
	    "gave it, nothing needs to be done.\n", lead->form->title, config->s.server_name));
}

static void add_mail(struct pl_jw *w, struct pl_str to, const char *subject, struct pl_str body)
{
	pl_jw_object(w);
	pl_jw_kstr(w, "to", to);
	pl_jw_kcstr(w, "subject", subject);
	pl_jw_kstr(w, "body", body);
	pl_jw_end_object(w);
}

/* Finds the slot with the person's address; absent: no such slot, or no value. */
static struct pl_str person_of(const struct lead *lead)
{
	int slot = form_slot_find(lead->form, pl_str(lead->form->person));

	return slot >= 0 && lead->filled[slot] ? lead->values[slot] : PL_STR_NONE;
}

struct pl_str lead_mails(const struct lead *lead, const struct config *config, struct pl_pool *pool)
{
	const struct pl_list *team = &config->s.lead_mail_to;
	struct pl_str person = config->s.lead_mail_person && !lead->handed_over ? person_of(lead) : PL_STR_NONE;
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);
	int count = 0;

	if (config->s.smtp_url[0] == '\0')
		return PL_STR_NONE;
	pl_jw_array(&w);
	for (int i = 0; i < team->count; i++) {
		const char *what = lead->handed_over ? "a person is needed" : "complete";

		if (person.ptr != NULL && pl_str_ieq(person, pl_str(team->items[i])))
			person = PL_STR_NONE;
		add_mail(&w, pl_str(team->items[i]), pl_sprintf(pool, "%s: %s", lead->form->title, what),
		    team_text(lead, config, pool));
		count++;
	}
	if (person.ptr != NULL) {
		add_mail(&w, person, pl_sprintf(pool, "%s: thank you", lead->form->title),
		    person_text(lead, config, pool));
		count++;
	}
	pl_jw_end_array(&w);
	return count > 0 ? pl_buf_str(&buf) : PL_STR_NONE;
}
