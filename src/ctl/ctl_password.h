/* SPDX-License-Identifier: ISC */
/*
 * Where parlourctl gets a new password from.
 */
#ifndef CTL_CTL_PASSWORD_H
#define CTL_CTL_PASSWORD_H

#include "str.h"

enum { CTL_PASSWORD_MAX = 1024 };	/* bytes */

struct ctl_password { char text[CTL_PASSWORD_MAX + 1]; bool made; };	/* made: generated, so print it */

/*
 * The first line of `path` ("-": standard input); NULL: read twice from the terminal, or generated. false and a
 * sentence in why: it cannot be read, is too long, or was typed differently. The caller wipes *password_r.
 */
bool ctl_password_get(const char *path, struct ctl_password *password_r, char why[512]) PL_MUSTCHECK;

#endif
