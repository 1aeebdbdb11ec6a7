/* SPDX-License-Identifier: ISC */
/*
 * Prometheus text exposition (version 0.0.4) of the scoreboard: one scrape is right whichever worker answers.
 */
#include "api/http/www.h"
#include "clock.h"

static const struct { const char *name, *labels, *help; bool gauge; } rows[SHM_M_COUNT] = {
#define COUNTER false
#define GAUGE true
#define METRIC(field, kind, name_, labels_, help_) [SHM_M_##field] = { name_, labels_, help_, kind },
#include "core/metrics.def"
#undef METRIC
#undef COUNTER
#undef GAUGE
};

static void write_latency(struct pl_buf *out, const struct shm *shm)
{
	int64_t total = 0;

	pl_buf_adds(out, "# HELP parlour_http_request_duration_seconds Time from a request's header to its reply.\n"
	    "# TYPE parlour_http_request_duration_seconds histogram\n");
	for (int b = 0; b < SHM_LATENCY_BUCKETS; b++) {
		for (uint32_t slot = 0; slot < shm->head->sizes.slots; slot++)
			total += atomic_load_explicit(&shm->counters[slot].latency[b], memory_order_relaxed);
		if (b < SHM_LATENCY_BUCKETS - 1)
			pl_buf_addf(out, "parlour_http_request_duration_seconds_bucket{le=\"%g\"} %lld\n",
			    64e-6 * (double)(1 << b), (long long)total);
		else
			pl_buf_addf(out, "parlour_http_request_duration_seconds_bucket{le=\"+Inf\"} %lld\n",
			    (long long)total);
	}
	pl_buf_addf(out,
	    "parlour_http_request_duration_seconds_sum %.6f\nparlour_http_request_duration_seconds_count %lld\n",
	    (double)shm_sum(shm, SHM_M_http_us) / 1e6, (long long)total);
}

void metrics_write(struct pl_buf *out, const struct shm *shm)
{
	int live = 0;

	for (int m = 0; m < SHM_M_COUNT; m++) {
		if (m == 0 || strcmp(rows[m].name, rows[m - 1].name) != 0)
			pl_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[m].name, rows[m].help, rows[m].name,
			    rows[m].gauge ? "gauge" : "counter");
		pl_buf_addf(out, rows[m].labels[0] != '\0' ? "%s{%s} %lld\n" : "%s%s %lld\n", rows[m].name,
		    rows[m].labels, (long long)shm_sum(shm, m));
	}
	for (uint32_t slot = 0; slot < shm->head->sizes.slots; slot++)
		live += shm_slot_live(shm, (int)slot);
	pl_buf_addf(out,
	    "# HELP parlour_processes Live processes.\n# TYPE parlour_processes gauge\nparlour_processes %d\n", live);
	pl_buf_addf(out, "# HELP parlour_build_info Version of the daemon.\n# TYPE parlour_build_info gauge\n"
	    "parlour_build_info{version=\"%s\"} 1\n", PARLOUR_VERSION);
	write_latency(out, shm);
}
