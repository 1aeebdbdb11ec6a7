/* SPDX-License-Identifier: ISC */
/* Decides whether a courier is in contact with the database. */
#include "svc/job/contact.h"

#include <time.h>

#include "clock.h"

_Static_assert(CONTACT_SILENT_S > 2 * CONTACT_TEND_S && CONTACT_SILENT_S < CONTACT_LEASE_S - CONTACT_TEND_S,
    "one late extension is normal, and an absence that outlasts a lease is noticed");

int64_t contact_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * PL_NS_PER_S + ts.tv_nsec;
}

void contact_init(struct contact *contact, int64_t now_ns)
{
	contact->tended_ns = contact->steady_ns = now_ns;
}

static bool in_time(const struct contact *contact, int64_t now_ns)
{
	return now_ns - contact->tended_ns <= CONTACT_SILENT_S * PL_NS_PER_S;
}

void contact_made(struct contact *contact, int64_t now_ns)
{
	if (!in_time(contact, now_ns))
		contact->steady_ns = now_ns;
	contact->tended_ns = now_ns;
}

bool contact_steady(const struct contact *contact, int64_t now_ns)
{
	return in_time(contact, now_ns) && now_ns - contact->steady_ns > CONTACT_LEASE_S * PL_NS_PER_S;
}
