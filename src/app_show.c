/* SPDX-License-Identifier: ISC */
/* Output for the operator: `parlourd -T`, `parlourctl why`, `parlourctl metrics`. */
#include <stdio.h>

#include "api/http/request.h"
#include "api/http/www.h"
#include "clock.h"
#include "core/app.h"

static void show_settings(const struct config *config, FILE *out, struct pl_pool *pool)
{
	const struct pl_schema *schema = config->cfg.schema;

	fprintf(out, "# settings in effect\n");
	for (size_t i = 0; i < schema->count; i++)
		fprintf(out, "%-22s = %-40s # %s\n", schema->settings[i].name,
		    pl_cfg_text(&config->cfg, &schema->settings[i], pool), config->cfg.origins[i]);
	for (int i = 0; i < config->upstreams_count; i++)
		fprintf(out, "[llm %s] url = %s\n", config->upstreams[i].name, config->upstreams[i].url);
	for (int i = 0; i < config->oidc_count; i++)
		fprintf(out, "[oidc %s] issuer = %s\n", config->oidc[i].name, config->oidc[i].issuer);
}

static void show_routes(const struct config *config, FILE *out)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };
	static const char *const who[] = { "anybody", "anybody*", "user", "operator", "admin" };

	fprintf(out,
	    "\n# routes: method path, access, rate class and rate, counted by, largest body, deadline\n");
	for (int i = 0; i < routes_count; i++) {
		const struct route *r = &routes[i];
		const struct pl_rate *rate = limit_rate(config, r->klass);
		char text[48] = "-";

		if (rate != NULL && rate->burst > 0)
			pl_rate_text(rate, text);
		else if (rate != NULL)
			snprintf(text, sizeof(text), "off");
		fprintf(out, "%-6s %-46s %-8s %-6s %-20s %-20s %7zu B %6lld ms\n", methods[__builtin_ctz(r->method)],
		    r->path, who[r->who], limit_name(r->klass), text, limit_counts_by(r->klass), r->body_bytes,
		    (long long)r->deadline_ms);
	}
	for (int i = 0; i < ws_routes_count; i++)
		fprintf(out, "WS     %-46s %s\n", ws_routes[i].path, ws_routes[i].summary);
}

static void show_limits(const struct config *config, FILE *out)
{
	fprintf(out, "\n# rate classes\n");
	for (enum limit_class k = LIMIT_NONE + 1; k < LIMIT_COUNT; k++) {
		const struct pl_rate *rate = limit_rate(config, k);
		char text[48] = "off";

		if (rate->burst > 0)
			pl_rate_text(rate, text);
		fprintf(out, "%-12s %-20s burst %lld, then one every %.3f s, per %s\n", limit_name(k), text,
		    (long long)rate->burst, (double)rate->interval_ns / 1e9, limit_counts_by(k));
	}
}

static void show_connections(const struct config *config, FILE *out)
{
	const struct settings *s = &config->s;
	int64_t held = SETTINGS_DB_HELD(s->workers), rest = s->db_connections - held;

	fprintf(out,
	    "\n# database connections: %lld in all = 2 per worker x %lld + 2 for clerk and courier + %lld for "
	    "transactions (%lld per worker)\n", (long long)s->db_connections, (long long)s->workers, (long long)rest,
	    (long long)(rest / s->workers > 0 ? rest / s->workers : 1));
}

int app_test(const struct config *config, bool tables, FILE *out)
{
	struct pl_pool *pool = pl_pool_new(0);
	char why[512] = "";
	int status;

	if (tables) {
		show_settings(config, out, pool);
		show_limits(config, out);
		show_routes(config, out);
		show_connections(config, out);
	}
	status = app_preflight(config, why);
	if (tables)
		fprintf(out, "\n# database: %s\n", status == 0 ? "ready" : why);
	else if (status != 0)
		fprintf(stderr, "parlourd: %s\n", why);
	pl_pool_free(&pool);
	return status;
}

static void show_trace(const struct shm_trace_rec *t, struct pl_buf *out)
{
	char when[PL_TIME_LEN + 1] = "";

	pl_time_format(t->wall_us, when);
	pl_buf_addf(out, "request   %s\nfinished  %s by worker %d\nrequest   %s %s\nclient    %s%s%s\n", t->request_id,
	    when, t->slot, t->method, t->route, t->addr, t->user[0] != '\0' ? " as " : "", t->user);
	pl_buf_addf(out, "outcome   %d%s%s\ntime      %.3f ms, of it %.3f ms PostgreSQL", t->status,
	    t->error[0] != '\0' ? " " : "", t->error, (double)t->total_us / 1000, (double)t->sql_us / 1000);
	if (t->upstream[0] != '\0')
		pl_buf_addf(out, ", %.3f ms upstream %s", (double)t->upstream_us / 1000, t->upstream);
	pl_buf_addf(out, "\nlimits    %s\nbytes     %u in, %u out\n", t->classes[0] != '\0' ? t->classes : "none",
	    t->in_bytes, t->out_bytes);
}

bool app_render(const struct config *config, struct shm *shm, const char *what, const char *arg, struct pl_buf *out)
{
	struct shm_trace_rec trace;

	if (strcmp(what, "metrics") == 0) {
		metrics_write(out, shm, config);
		return true;
	}
	if (strcmp(what, "rate") == 0)
		return app_rate_look(config, shm, arg, out);
	if (strcmp(what, "rate-reset") == 0)
		return app_rate_reset(shm, arg, out);
	if (arg == NULL || !shm_trace_find(shm, pl_str(arg), &trace))
		return false;
	show_trace(&trace, out);
	return true;
}
