/* SPDX-License-Identifier: ISC */
/* Reads only the setting that parlourctl needs to connect to the daemon. */
#include "ctl/ctl_socket.h"

#include <stdio.h>

#include "core/settings.h"

#define LINE_MAX_BYTES 8192
#define SETTING "control_socket"

/* true: the line sets it. */
static bool line_take(struct pl_str line, char socket_r[CTL_SOCKET_MAX])
{
	struct pl_str value = line, name;

	if (!pl_str_cut(&value, '=', &name) || value.ptr == NULL || !pl_str_is(pl_str_trim(name), SETTING))
		return false;
	value = pl_str_trim(pl_strn(value.ptr, strcspn(value.ptr, "\r\n")));
	if (value.len == 0 || value.len >= CTL_SOCKET_MAX)
		return false;
	snprintf(socket_r, CTL_SOCKET_MAX, "%.*s", PL_FMT(value));
	return true;
}

void ctl_socket_find(const char *path, const char *const *overrides, int overrides_count,
    char socket_r[CTL_SOCKET_MAX])
{
	char line[LINE_MAX_BYTES];
	FILE *file = path != NULL ? fopen(path, "re") : NULL;

	snprintf(socket_r, CTL_SOCKET_MAX, "%s", pl_cfg_find(&settings_schema, SETTING)->def);
	while (file != NULL && fgets(line, sizeof(line), file) != NULL && line[0] != '[')
		line_take(pl_str(line), socket_r);
	if (file != NULL)
		fclose(file);
	for (int i = 0; i < overrides_count; i++)
		line_take(pl_str(overrides[i]), socket_r);
}
