/* SPDX-License-Identifier: ISC */
/*
 * The forms of this installation: one file NAME.conf each, read once when a process starts.
 */
#ifndef SVC_FORMS_H
#define SVC_FORMS_H

#include "svc/form.h"

/* Reads all files of `fallback` ($PARLOUR_FORMS_DIR wins). No directory: no forms. false and why[]: a file is wrong. */
bool forms_load(const char *fallback, char why[512]) PL_MUSTCHECK;
const struct form *forms_find(struct pl_str name);	/* NULL: none */

#endif
