/* SPDX-License-Identifier: ISC */
/*
 * Functions that the files of settings share: reading, checking, and packing.
 */
#ifndef CORE_SETTINGS_CHECK_H
#define CORE_SETTINGS_CHECK_H

#include "core/settings.h"

/* An empty configuration with one hold. Its secrets are wiped when it is freed. */
struct config *config_make(void);

/* Rules between settings. false and why[] "file:line: key: rule". */
bool config_check(const struct config *config, char why[512]) PL_MUSTCHECK;

#endif
