/* SPDX-License-Identifier: ISC */
/*
 * Figures about usage in the form that REST and sockets share.
 */
#ifndef API_USAGE_SHAPE_H
#define API_USAGE_SHAPE_H

#include "api/http/shape.h"
#include "svc/usage/insights.h"

/*
 * {"ai_interaction_velocity":{"value","unit","status"},...}; prodlens: its nine, with a threshold (setting
 * metrics_style). at_us: also "timestamp", 0: without.
 */
struct pl_str usage_kpis_json(struct pl_pool *pool, const struct usage_kpis *kpis, bool prodlens, int64_t at_us);
/* {"items":[{session_id, developer_id, timestamp, model, total_tokens, cost_usd, accepted_flag, tokens_in,
 * tokens_out, latency_ms, status_code, diff_ratio, accepted_lines, repo_slug}]} */
struct pl_str usage_sessions_json(struct pl_pool *pool, const struct usage_session_list *list);
struct pl_str usage_insights_json(struct pl_pool *pool, const struct insights *in);
/* With a header line. Values that a spreadsheet could treat as a formula begin with an apostrophe. */
struct pl_str usage_points_csv(struct pl_pool *pool, const struct usage_point_list *list);

#endif
