/* SPDX-License-Identifier: ISC */
/*
 * Decides whether a courier may treat expired leases of others as a sign of death. While the database is away, all
 * leases expire. Therefore, the courier must first extend its own leases in time, for as long as a lease lasts.
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
	int64_t steady_ns;		/* since then, each extension was in time */
};

/* Also counts while the machine is suspended, like the clock of PostgreSQL. */
int64_t contact_now_ns(void);
void contact_init(struct contact *contact, int64_t now_ns);
/* The database has just extended the leases of this courier. */
void contact_made(struct contact *contact, int64_t now_ns);
/* Returns whether every other courier had the time to extend its leases. */
bool contact_steady(const struct contact *contact, int64_t now_ns);

#endif
