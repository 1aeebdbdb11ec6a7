/* SPDX-License-Identifier: ISC */
/*
 * A lead: what a form has collected when it is complete, or when a human has to go on. Whom to tell of it, and how.
 * Pure.
 */
#ifndef SVC_LEAD_H
#define SVC_LEAD_H

#include "core/settings.h"
#include "svc/session/form.h"

struct lead {
	const struct form *form;
	/* per slot, normalised; absent: none. Those of sensitive slots are never looked at */
	const struct pl_str *values;
	const bool *filled;		/* per slot */
	const char *session;		/* its id; the first 8 characters are shown, for a guest's is a credential */
	struct pl_str account;		/* user name; absent: a guest */
	bool handed_over;
};
/* JSON for session_say(): [{"to","subject","body"}], none twice; absent: mail is off, or nobody is to be told. */
struct pl_str lead_mails(const struct lead *lead, const struct config *config, struct pl_pool *pool);

#endif
