/* SPDX-License-Identifier: ISC */
/*
 * parlourctl token-key: the keys in key_file.
 */
#ifndef CTL_CTL_TOKEN_KEY_H
#define CTL_CTL_TOKEN_KEY_H

#include <stdio.h>

#include "core/settings.h"

struct ctl_token_key_opts {
	CONFIG_BORROWED const struct config *config;
	int argc;			/* the words after `token-key` */
	char **argv;
};

/*
 * rotate: adds a new key in front and removes the keys that nothing can be signed with any longer; list; prune [ID]...:
 * removes those keys, or the named ones. The file is replaced as a whole, with its owner, group, and mode, and the
 * running daemon reads it.
 *   returns:  0, or an exit status and a sentence in why: 64 usage, 65 not possible, 73 the file cannot be written, 78
 *             the file cannot be read. Then the file has not changed. 1: it has, but the daemon refused to read it.
 */
int ctl_token_key(const struct ctl_token_key_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;

#endif
