/* SPDX-License-Identifier: ISC */
/*
 * The forms of this installation, one file NAME.conf each, which are read when a process starts and at each reload.
 */
#ifndef SVC_FORMS_H
#define SVC_FORMS_H

#include "svc/session/form.h"

/*
 * Reads all files of `fallback` ($PARLOUR_FORMS_DIR has precedence) and replaces the previous forms. Without a
 * directory, there are no forms. false and why[] ("contact.conf:12: ..."): a file is invalid, and the previous forms
 * stay.
 */
bool forms_load(const char *fallback, char why[512]) PL_MUSTCHECK;
/* Does the same checks, but keeps nothing. */
bool forms_check(const char *fallback, char why[512]) PL_MUSTCHECK;
const struct form *forms_find(struct pl_str name);	/* NULL: none. Take a hold to keep it over a reload. */

#endif
