/* SPDX-License-Identifier: ISC */
/* Times on the command line. */
#include "ctl/ctl_time.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "pool.h"

#define MAX_S 315360000

int64_t ctl_time_seconds(const char *text)
{
	static const struct { const char *word; int64_t seconds; } units[] = { { "s", 1 }, { "min", 60 },
		{ "h", 3600 }, { "d", 86400 } };
	long long number;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -1;
	number = strtoll(text, &end, 10);
	for (size_t i = 0; i < PL_COUNT(units); i++)
		if (strcmp(end, units[i].word) == 0 && number <= MAX_S / units[i].seconds)
			return number * units[i].seconds;
	return -1;
}

bool ctl_time_point(const char *text, int64_t *us_r)
{
	int64_t ago_s = ctl_time_seconds(text);

	if (ago_s >= 0)
		*us_r = pl_wall_us() - ago_s * PL_US_PER_S;
	return ago_s >= 0 || pl_time_parse_lax(text, strlen(text), us_r);
}
