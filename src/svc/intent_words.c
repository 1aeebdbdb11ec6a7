/* SPDX-License-Identifier: ISC */
/*
 * The words of an intent as clients and the database have them.
 */
#include "svc/intent.h"

const char *const intent_metrics[METRIC_COUNT] = { "", "messages", "sessions", "tokens", "cost", "feedback", "users",
	"rooms" };
const char *const intent_units[METRIC_COUNT] = { "", "messages", "sessions", "tokens", "USD", "votes", "users",
	"rooms" };
const char *const intent_dims[DIM_COUNT] = { "", "day", "week", "month", "user", "room", "model", "role" };
const char *const intent_orders[ORDER_COUNT] = { "", "most", "least" };
