/* SPDX-License-Identifier: ISC */
/*
 * Whether a courier may judge others by their leases: leases run out for all while the database is away, so it must
 * have extended its own in time for as long as a lease lasts.
 */
#ifndef SVC_CONTACT_H
#define SVC_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

#define CONTACT_TEND_S 15		/* a courier extends its leases this often */
#define CONTACT_LEASE_S 60
#define CONTACT_SILENT_S 40		/* a later extension does not count as in time */

struct contact {
	int64_t tended_ns;		/* the newest extension */
	int64_t steady_ns;		/* since then each one was in time */
};

/* Counts while the machine sleeps, as PostgreSQL's clock does. */
int64_t contact_now_ns(void);
void contact_init(struct contact *contact, int64_t now_ns);
/* The database has just extended what this courier has. */
void contact_made(struct contact *contact, int64_t now_ns);
/* Had every other courier the time to extend its leases? */
bool contact_steady(const struct contact *contact, int64_t now_ns);

#endif
