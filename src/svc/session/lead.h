/* SPDX-License-Identifier: ISC */
/*
 * A lead: the values of a form that is complete, or that a person has to continue; its recipients and its texts. Pure.
 */
#ifndef SVC_LEAD_H
#define SVC_LEAD_H

#include "core/settings.h"
#include "svc/session/form.h"

struct lead {
	const struct form *form;
	/* per slot, normalized; absent: none. Those of sensitive slots are never used */
	const struct pl_str *values;
	const bool *filled;		/* per slot */
	const char *session;		/* its id; the first 8 characters are shown, for a guest's is a credential */
	struct pl_str account;		/* its id; only 8 characters are shown, because a guest's id is a credential */
	bool handed_over;
};
/*
 * JSON for session_say(): [{"to","subject","body"}], without duplicates; absent: mail is off, or there is no recipient.
 */
struct pl_str lead_mails(const struct lead *lead, const struct config *config, struct pl_pool *pool);

#endif
