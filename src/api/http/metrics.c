/* SPDX-License-Identifier: ISC */
/*
 * Writes the scoreboard in the Prometheus text format (version 0.0.4). Any worker can answer a scrape for all
 * processes. Units and names follow the conventions of Prometheus. Labels come from tables and the configuration, never
 * from clients.
 */
#include "api/http/route.h"
#include "api/http/www.h"
#include "clock.h"
#include "core/shm_parts.h"
#include "core/shm_stats.h"
#include "llm/llm.h"

enum kind { COUNTER, COUNTER_US, GAUGE, GAUGE_US };

static const struct { const char *name, *labels, *help; enum kind kind; } rows[SHM_M_COUNT] = {
#define METRIC(field, kind_, name_, labels_, help_) [SHM_M_##field] = { name_, labels_, help_, kind_ },
#define LABELED(...)
#include "core/metrics.def"
#undef METRIC
#undef LABELED
};

enum labeled_id {
#define METRIC(...)
#define LABELED(id, ...) LABELED_##id,
#include "core/metrics.def"
#undef LABELED
	LABELED_COUNT
};
static const struct { const char *name, *type, *help; } labeled[LABELED_COUNT] = {
#define LABELED(id, name_, type_, labels_, help_) [LABELED_##id] = { name_, type_, help_ },
#include "core/metrics.def"
#undef METRIC
#undef LABELED
};

static void write_head(struct pl_buf *out, const char *name, const char *type, const char *help)
{
	pl_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_seconds(struct pl_buf *out, int64_t us)
{
	pl_buf_addf(out, " %lld.%06lld\n", (long long)(us / PL_US_PER_S), (long long)(us % PL_US_PER_S));
}

/* Writes the header lines of a labeled metric, and returns its name. */
static const char *write_labeled(struct pl_buf *out, enum labeled_id id)
{
	write_head(out, labeled[id].name, labeled[id].type, labeled[id].help);
	return labeled[id].name;
}

/* Escapes the value of a label as the text format requires. */
static void write_value(struct pl_buf *out, struct pl_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			pl_buf_addc(out, '\\');
		pl_buf_addc(out, text.ptr[i]);
	}
}

/* labels: without braces, not empty. */
static void write_times(struct pl_buf *out, const char *name, const char *labels, const struct shm_times_sum *times)
{
	static const int64_t bounds[SHM_BOUNDS_COUNT] = SHM_BOUNDS;
	int64_t total = 0;

	for (int b = 0; b < SHM_BOUNDS_COUNT; b++) {
		total += times->bucket[b];
		pl_buf_addf(out, "%s_bucket{%s,le=\"%g\"} %lld\n", name, labels, (double)bounds[b] / PL_US_PER_S,
		    (long long)total);
	}
	total += times->bucket[SHM_BOUNDS_COUNT];
	pl_buf_addf(out, "%s_bucket{%s,le=\"+Inf\"} %lld\n%s_sum{%s}", name, labels, (long long)total, name, labels);
	write_seconds(out, times->sum_us);
	pl_buf_addf(out, "%s_count{%s} %lld\n", name, labels, (long long)total);
}

/* ---- requests by route ---- */

static void endpoint_labels(int endpoint, char labels[160])
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

	if (endpoint == 0)
		snprintf(labels, 160, "route=\"none\",method=\"any\"");
	else if (endpoint <= routes_count)
		snprintf(labels, 160, "route=\"%s\",method=\"%s\"", routes[endpoint - 1].path,
		    methods[__builtin_ctz(routes[endpoint - 1].method)]);
	else
		snprintf(labels, 160, "route=\"%s\",method=\"GET\"", ws_routes[endpoint - 1 - routes_count].path);
}

static bool endpoint_used(const struct shm_endpoint_sum *sum)
{
	int64_t all = 0;

	for (int s = 0; s < SHM_STATUSES; s++)
		all += sum->status[s];
	return all > 0;
}

static void write_endpoints(struct pl_buf *out, const struct shm *shm)
{
	int count = 1 + routes_count + ws_routes_count;
	struct shm_endpoint_sum *sums = pl_new((size_t)count * sizeof(*sums));
	char labels[160];
	const char *name;

	for (int i = 0; i < count; i++)
		shm_endpoint_read(shm, i, &sums[i]);
	name = write_labeled(out, LABELED_HTTP_REQUESTS);
	for (int i = 0; i < count; i++) {
		endpoint_labels(i, labels);
		for (int s = 0; s < SHM_STATUSES; s++)
			if (sums[i].status[s] > 0)
				pl_buf_addf(out, "%s{%s,status=\"%dxx\"} %lld\n", name, labels, s + 1,
				    (long long)sums[i].status[s]);
	}
	name = write_labeled(out, LABELED_HTTP_SECONDS);
	for (int i = 0; i < count; i++) {
		if (!endpoint_used(&sums[i]))
			continue;
		endpoint_labels(i, labels);
		write_times(out, name, labels, &sums[i].times);
	}
	pl_free(sums);
}

/* ---- models by upstream ---- */

static void write_upstream_counter(struct pl_buf *out, const char *name, const char *upstream, const char *label,
    int64_t value)
{
	pl_buf_addf(out, "%s{upstream=\"%s\"%s} %lld\n", name, upstream, label, (long long)value);
}

static void write_upstream_counters(struct pl_buf *out, const struct shm_upstream_sum *sums, int count)
{
	static const char *const outcomes[] = { [SHM_ASKED_DONE] = ",outcome=\"done\"",
		[SHM_ASKED_FAILED] = ",outcome=\"failed\"", [SHM_ASKED_CANCELLED] = ",outcome=\"cancelled\"",
		[SHM_ASKED_UNAVAILABLE] = ",outcome=\"unavailable\"" };
	const char *name = write_labeled(out, LABELED_LLM_REQUESTS);

	for (int i = 0; i < count * SHM_ASKED_COUNT; i++)
		write_upstream_counter(out, name, sums[i / SHM_ASKED_COUNT].name, outcomes[i % SHM_ASKED_COUNT],
		    sums[i / SHM_ASKED_COUNT].outcome[i % SHM_ASKED_COUNT]);
	name = write_labeled(out, LABELED_LLM_ATTEMPTS);
	for (int i = 0; i < count; i++)
		write_upstream_counter(out, name, sums[i].name, "", sums[i].attempts);
	name = write_labeled(out, LABELED_LLM_TOKENS);
	for (int i = 0; i < count; i++) {
		write_upstream_counter(out, name, sums[i].name, ",type=\"prompt\"", sums[i].prompt_tokens);
		write_upstream_counter(out, name, sums[i].name, ",type=\"completion\"", sums[i].completion_tokens);
	}
	name = write_labeled(out, LABELED_LLM_COST);
	for (int i = 0; i < count; i++) {
		pl_buf_addf(out, "%s{upstream=\"%s\"}", name, sums[i].name);
		write_seconds(out, sums[i].cost_micros);	/* costs are millionths, too */
	}
}

static void write_upstream_times(struct pl_buf *out, const struct shm_upstream_sum *sums, int count, enum labeled_id id)
{
	const char *name = write_labeled(out, id);
	char labels[64];

	for (int i = 0; i < count; i++) {
		snprintf(labels, sizeof(labels), "upstream=\"%s\"", sums[i].name);
		write_times(out, name, labels, id == LABELED_LLM_FIRST ? &sums[i].first : &sums[i].total);
	}
}

/* One of these gauges is 1. */
static void write_breaker(struct pl_buf *out, const struct shm *shm, const struct upstream_settings *upstream,
    struct pl_str model)
{
	static const struct { enum shm_breaker_state state; const char *word; } states[] = {
		{ SHM_CLOSED, "closed" }, { SHM_OPEN, "open" }, { SHM_HALF_OPEN, "half_open" },
	};
	struct pl_pool *pool = pl_pool_new(0);
	enum shm_breaker_state now = shm_breaker_get(shm, llm_breaker_name(pool, upstream, model));

	for (size_t i = 0; i < PL_COUNT(states); i++) {
		pl_buf_addf(out, "%s{upstream=\"%s\",model=\"", labeled[LABELED_LLM_BREAKER].name, upstream->name);
		write_value(out, model);
		pl_buf_addf(out, "\",state=\"%s\"} %d\n", states[i].word, states[i].state == now);
	}
	pl_pool_free(&pool);
}

static void write_breakers(struct pl_buf *out, const struct shm *shm, const struct config *config)
{
	write_labeled(out, LABELED_LLM_BREAKER);
	for (int i = 0; i < config->upstreams_count; i++) {
		const struct upstream_settings *upstream = &config->upstreams[i];
		bool listed = upstream->model[0] == '\0';

		write_breaker(out, shm, upstream, PL_STR(""));
		for (int m = 0; m < upstream->models.count; m++) {
			listed = listed || strcmp(upstream->models.items[m], upstream->model) == 0;
			write_breaker(out, shm, upstream, pl_str(upstream->models.items[m]));
		}
		if (!listed)
			write_breaker(out, shm, upstream, pl_str(upstream->model));
	}
}

static void write_upstreams(struct pl_buf *out, const struct shm *shm, const struct config *config)
{
	struct shm_upstream_sum *sums = pl_new(SHM_UPSTREAMS * sizeof(*sums));
	int count = shm_upstreams_read(shm, sums);

	write_upstream_counters(out, sums, count);
	write_upstream_times(out, sums, count, LABELED_LLM_SECONDS);
	write_upstream_times(out, sums, count, LABELED_LLM_FIRST);
	write_breakers(out, shm, config);
	pl_free(sums);
}

/* ---- other metrics ---- */

static void write_answer_memory(struct pl_buf *out, const struct shm *shm)
{
	struct shm_text_use use = shm_text_use(shm);
	const char *name = write_labeled(out, LABELED_ANSWER_MEMORY);

	pl_buf_addf(out, "%s{state=\"used\"} %lld\n", name, (long long)use.used_bytes);
	pl_buf_addf(out, "%s{state=\"free\"} %lld\n", name, (long long)(use.bytes - use.used_bytes));
}

static void write_row(struct pl_buf *out, const struct shm *shm, int m)
{
	int64_t value = shm_sum(shm, m);

	if (m == 0 || strcmp(rows[m].name, rows[m - 1].name) != 0)
		write_head(out, rows[m].name, rows[m].kind >= GAUGE ? "gauge" : "counter", rows[m].help);
	pl_buf_adds(out, rows[m].name);
	if (rows[m].labels[0] != '\0')
		pl_buf_addf(out, "{%s}", rows[m].labels);
	if (rows[m].kind == COUNTER_US || rows[m].kind == GAUGE_US)
		write_seconds(out, value);
	else
		pl_buf_addf(out, " %lld\n", (long long)value);
}

void metrics_write(struct pl_buf *out, const struct shm *shm, const struct config *config)
{
	int live = 0;

	for (int m = 0; m < SHM_M_COUNT; m++)
		write_row(out, shm, m);
	for (uint32_t slot = 0; slot < shm->head->sizes.slots; slot++)
		live += shm_slot_live(shm, (int)slot);
	write_head(out, "parlour_processes", "gauge", "Live processes.");
	pl_buf_addf(out, "parlour_processes %d\n", live);
	write_head(out, "parlour_build_info", "gauge", "Version of the daemon.");
	pl_buf_addf(out, "parlour_build_info{version=\"%s\"} 1\n", PARLOUR_VERSION);
	write_endpoints(out, shm);
	write_upstreams(out, shm, config);
	write_answer_memory(out, shm);
}
