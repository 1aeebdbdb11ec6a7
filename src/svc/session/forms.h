/* SPDX-License-Identifier: ISC */
/*
 * The forms of this installation: one file NAME.conf each, read when a process starts and again at a reload.
 */
#ifndef SVC_FORMS_H
#define SVC_FORMS_H

#include "svc/session/form.h"

/*
 * Reads all files of `fallback` ($PARLOUR_FORMS_DIR wins) and replaces what there was. No directory: no forms. false
 * and why[] ("contact.conf:12: ..."): a file is wrong, what there was stays. */
bool forms_load(const char *fallback, char why[512]) PL_MUSTCHECK;
/* The same, but keeps nothing. */
bool forms_check(const char *fallback, char why[512]) PL_MUSTCHECK;
const struct form *forms_find(struct pl_str name);	/* NULL: none. Hold it to keep it over a reload */

#endif
