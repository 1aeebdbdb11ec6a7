/* SPDX-License-Identifier: ISC */
/*
 * Mentions of roles and users: "@name" in a message.
 */
#ifndef SVC_MENTION_H
#define SVC_MENTION_H

#include "db/repo/repo_role.h"

/* false: the text contains no mention. Cheap. */
bool mention_possible(struct pl_str text);
/*
 * Marks the roles that the text mentions, by their name for mentions or their display name ("@Product Manager"):
 * marks[i] of roles[i]. The longest name at a place counts: this example does not mention a role named Product.
 */
void mention_mark(struct pl_pool *pool, struct pl_str text, const struct role *roles, int count, bool *marks);
/*
 * Finds the names that the text may mention, without knowing which exist, at no more than `most` different places.
 * places_r gets a text for each: the possible names, the longest first, separated by blanks; a tab; what follows the @.
 * Returns the number of places.
 */
int mention_places(struct pl_pool *pool, struct pl_str text, int most, struct pl_str *places_r);

#endif
