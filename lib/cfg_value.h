/* SPDX-License-Identifier: ISC */
/*
 * Converts the text of a setting to its C value and back. This part of cfg handles types; cfg.h handles files.
 */
#ifndef PL_CFG_VALUE_H
#define PL_CFG_VALUE_H

#include "cfg.h"

/*
 * Writes the value of `text` (trimmed) into the struct at `base`; texts and lists are copied into `pool`. false: why[]
 * names the broken rule ("0 is below 1"), without the name of the setting and never with the text of a secret.
 */
bool pl_cfg_value_parse(struct pl_pool *pool, const struct pl_setting *setting, struct pl_str text, void *base,
    char *why, size_t why_bytes) PL_MUSTCHECK;
/* The value at `base`, in the form of a configuration file; for group settings `base` is that group's struct. */
const char *pl_cfg_value_text(const struct pl_setting *setting, const void *base, struct pl_pool *pool);

/* A number of type INT, SIZE, TIME or MODE in its short form: "64k", "10min". */
#define PL_CFG_NUMBER_LEN 32
void pl_cfg_number_text(enum pl_setting_type type, int64_t number, char out[PL_CFG_NUMBER_LEN]);

#endif
