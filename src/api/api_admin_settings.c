/* SPDX-License-Identifier: ISC */
/*
 * The settings in effect, for admins.
 */
#include "api/http/request.h"
#include "cfg_value.h"

static void setting_shape(struct admin_setting_out *out, const struct pl_setting *setting, const void *values,
    struct pl_pool *pool)
{
	*out = (struct admin_setting_out){ .name = pl_str(setting->name),
		.value = pl_str(pl_cfg_value_text(setting, values, pool)), .default_ = pl_str(setting->def),
		.reload = setting->flags != PL_SET_RESTART };
}

void api_admin_settings(struct request *request)
{
	const struct config *config = request->req->config;
	const struct pl_schema *schema = &settings_schema;
	struct pl_pool *pool = request->req->task->pool;
	size_t count = schema->count + (size_t)config->upstreams_count * schema->group_count;
	struct admin_setting_out *items = pl_alloc(pool, count * sizeof(*items)), *next = items;

	for (size_t i = 0; i < schema->count; i++, next++) {
		setting_shape(next, &schema->settings[i], &config->s, pool);
		if (config->cfg.origins != NULL && config->cfg.origins[i] != NULL)
			next->origin = pl_str(config->cfg.origins[i]);
	}
	for (int u = 0; u < config->upstreams_count; u++) {
		for (size_t i = 0; i < schema->group_count; i++, next++) {
			setting_shape(next, &schema->group_settings[i], &config->upstreams[u], pool);
			next->name = pl_str(pl_sprintf(pool, "%s.%s.%s", schema->group, config->upstreams[u].name,
			    schema->group_settings[i].name));
		}
	}
	request_reply_list(request, &shape_admin_setting_out, items, (int)count);
}
