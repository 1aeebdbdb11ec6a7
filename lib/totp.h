/* SPDX-License-Identifier: ISC */
/*
 * One-time codes of authenticator apps: TOTP (RFC 6238) with SHA-1, 6 digits, and steps of 30 s.
 */
#ifndef PL_TOTP_H
#define PL_TOTP_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

#define PL_TOTP_SECRET 20		/* bytes of a secret: as long as the hash */
#define PL_TOTP_DIGITS 6
#define PL_TOTP_STEP_S 30
#define PL_TOTP_WINDOW 1		/* steps before and after the current one whose codes count, too */

/* RFC 4648 section 6 without padding. out holds (bytes*8+4)/5 characters and NUL; returns the length. */
size_t pl_base32_encode(const void *data, size_t bytes, char *out);
/* The code of a step, digits and NUL. */
void pl_totp_code(const unsigned char secret[PL_TOTP_SECRET], int64_t step, char out[PL_TOTP_DIGITS + 1]);
/*
 * Returns the newest step within the window around now_s (seconds since 1970) that has this code; 0: none. Blanks in
 * the code are ignored, because apps show some. The time does not depend on how much of the code is correct.
 */
int64_t pl_totp_find(const unsigned char secret[PL_TOTP_SECRET], struct pl_str code, int64_t now_s);

#endif
