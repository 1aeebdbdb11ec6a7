/* SPDX-License-Identifier: ISC */
/*
 * Rates as operators see and reset them. shm_parts.h has the checks of requests.
 */
#ifndef CORE_SHM_RATE_H
#define CORE_SHM_RATE_H

#include "core/shm.h"

/* When the client is idle again (pl_gcra tat_ns), without counting a request; 0: it is idle. */
int64_t shm_rate_look(const struct shm *shm, uint64_t tag, int64_t now_ns);
/* Makes the client idle. false: it was idle. */
bool shm_rate_clear(struct shm *shm, uint64_t tag, int64_t now_ns);

#endif
