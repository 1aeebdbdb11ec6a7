/* SPDX-License-Identifier: ISC */
/*
 * Between the files of settings: what is shared by reading, checking and packing.
 */
#ifndef CORE_SETTINGS_CHECK_H
#define CORE_SETTINGS_CHECK_H

#include "core/settings.h"

/* An empty configuration with one hold; its secrets are wiped when it dies. */
struct config *config_make(void);

/* Rules between settings. false and why[] "file:line: key: rule". */
bool config_check(const struct config *config, char why[512]) PL_MUSTCHECK;

#endif
