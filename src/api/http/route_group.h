/* SPDX-License-Identifier: ISC */
/*
 * Groups of routes: headings of parlour-api(7), tags of /openapi.json.
 */
#ifndef API_ROUTE_GROUP_H
#define API_ROUTE_GROUP_H

enum route_group_id { GROUP_SERVER, GROUP_ACCOUNTS, GROUP_ROLES, GROUP_ROOMS, GROUP_MODELS, GROUP_SESSIONS,
	GROUP_KNOWLEDGE, GROUP_FEEDBACK, GROUP_FIGURES, GROUP_QUESTIONS, GROUP_ADMIN };

struct route_group { const char *tag, *title, *text; };

/* By enum route_group_id, which is the order of the manual; the last has a NULL tag. */
extern const struct route_group route_groups[];

#endif
