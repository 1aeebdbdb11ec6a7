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

/* Returns the place behind the settings of this section. */
static struct admin_setting_out *section_shapes(struct admin_setting_out *next, const struct pl_schema *schema,
    const char *name, const void *values, struct pl_pool *pool)
{
	for (size_t i = 0; i < schema->group_count; i++, next++) {
		setting_shape(next, &schema->group_settings[i], values, pool);
		next->name = pl_str(pl_sprintf(pool, "%s.%s.%s", schema->group, name, schema->group_settings[i].name));
	}
	return next;
}

void api_admin_settings(struct request *request)
{
	const struct config *config = request->req->config;
	const struct pl_schema *schema = &settings_schema, *oidc = &settings_oidc;
	struct pl_pool *pool = request->req->task->pool;
	size_t count = schema->count + (size_t)config->upstreams_count * schema->group_count +
	    (size_t)config->oidc_count * oidc->group_count;
	struct admin_setting_out *items = pl_alloc(pool, count * sizeof(*items)), *next = items;

	for (size_t i = 0; i < schema->count; i++, next++) {
		setting_shape(next, &schema->settings[i], &config->s, pool);
		if (config->cfg.origins != NULL && config->cfg.origins[i] != NULL)
			next->origin = pl_str(config->cfg.origins[i]);
	}
	for (int i = 0; i < config->upstreams_count; i++)
		next = section_shapes(next, schema, config->upstreams[i].name, &config->upstreams[i], pool);
	for (int i = 0; i < config->oidc_count; i++)
		next = section_shapes(next, oidc, config->oidc[i].name, &config->oidc[i], pool);
	request_reply_list(request, &shape_admin_setting_out, items, (int)count);
}
