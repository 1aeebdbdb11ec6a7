/* SPDX-License-Identifier: ISC */
/*
 * Which routes belong together: headings of parlour-api(7), tags of /openapi.json.
 */
#ifndef API_ROUTE_GROUP_H
#define API_ROUTE_GROUP_H

struct route_group { const char *tag, *title, *text; };

/* In the order of the manual; the last has a NULL tag. */
extern const struct route_group route_groups[];
const struct route_group *route_group_of(const char *path);

#endif
