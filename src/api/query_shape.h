/* SPDX-License-Identifier: ISC */
/*
 * The body of an answer, shared by the route and the socket.
 */
#ifndef API_QUERY_SHAPE_H
#define API_QUERY_SHAPE_H

#include "api/http/shape.h"
#include "svc/usage/query.h"

static inline struct query_out query_shape(const struct query_answer *a)
{
	return (struct query_out){ .id = a->id, .query_id = a->id, .query = a->query, .understood = a->understood,
	    .intent = a->intent,
		.columns = a->columns, .rows = a->rows, .partial = a->partial,
		.truncated = a->truncated, .summary = a->summary, .card = a->card, .created_at = a->created_us,
		.result = a->result, .visualization = a->visualization, .error = a->error };
}

#endif
