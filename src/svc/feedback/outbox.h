/* SPDX-License-Identifier: ISC */
/*
 * The clerk's sender: takes what is due from the queue (table outbox), sends it, notes what became of it.
 */
#ifndef SVC_OUTBOX_H
#define SVC_OUTBOX_H

#include "svc/svc.h"

struct outbox;

/* Needs svc->httpc. Starts at once; the settings are looked at in every round. */
struct outbox *outbox_new(struct svc *svc);
/* Takes nothing more; what runs may end. */
void outbox_drain(struct outbox *outbox);
bool outbox_idle(const struct outbox *outbox);
/* Cancels what runs; completions that come later find nothing and free their own. Clears *outbox. */
void outbox_free(struct outbox **outbox);

enum mail_state { MAIL_OFF, MAIL_UP, MAIL_DOWN };
/* From the clerk's last contact with the mail server; for all processes. */
enum mail_state mail_state(const struct svc *svc, const struct config *config);

#endif
