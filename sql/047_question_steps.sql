-- SPDX-License-Identifier: ISC
-- Averages and medians over steps of time take as long as their figures are many, whatever the length of the period.

CREATE FUNCTION query_steps(p_unit text, p_first timestamp, p_last timestamp) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE p_unit WHEN 'day' THEN p_last::date - p_first::date
		WHEN 'week' THEN (date_trunc('week', p_last)::date - date_trunc('week', p_first)::date) / 7
		WHEN 'month' THEN (extract(year FROM p_last) - extract(year FROM p_first)) * 12 + extract(month FROM p_last) - extract(month FROM p_first)
		WHEN 'quarter' THEN (extract(year FROM p_last) - extract(year FROM p_first)) * 4 + extract(quarter FROM p_last) - extract(quarter FROM p_first)
		WHEN 'year' THEN extract(year FROM p_last) - extract(year FROM p_first) END::bigint + 1
$$;
COMMENT ON FUNCTION query_steps(text, timestamp, timestamp) IS 'How many days, weeks, months, quarters, or years two moments and the time between them touch';

CREATE OR REPLACE FUNCTION query_median(p_values double precision[], p_zeros bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
	SELECT (CASE WHEN m.low <= m.zeros THEN 0 ELSE m.sorted[m.low - m.zeros] END
		+ CASE WHEN m.high <= m.zeros THEN 0 ELSE m.sorted[m.high - m.zeros] END) / 2
	FROM (SELECT s.sorted, s.zeros, (s.n + s.zeros + 1) / 2 AS low, (s.n + s.zeros) / 2 + 1 AS high
		FROM (SELECT array_agg(v.v ORDER BY v.v) AS sorted, count(*)::integer AS n, coalesce(p_zeros, 0)::integer AS zeros
			FROM unnest(p_values) v (v) WHERE v.v IS NOT NULL) s WHERE s.n > 0) m
$$;
COMMENT ON FUNCTION query_median(double precision[], bigint) IS 'The median of these figures, none below 0, and of so many zeros';

CREATE OR REPLACE FUNCTION query_groups(p_metric text, p_agg text, p_dims text[], p_unit text, p_zone text, p_from timestamptz,
	p_to timestamptz, p_scope bigint, p_users text[], p_rooms text[], p_models text[], p_roles text[])
RETURNS TABLE (step timestamp, label1 text, label2 text, value double precision)
LANGUAGE sql STABLE AS $$
	SELECT q.step, q.label1, q.label2, CASE WHEN p_metric IN ('error_rate', 'acceptance') THEN 100 * sum(q.value) / sum(q.n)
		WHEN p_unit = '' THEN sum(q.value)
		WHEN p_agg = 'average' THEN sum(q.value) / CASE WHEN p_unit IN ('day', 'week', 'month', 'quarter', 'year') THEN max(z.steps)
			ELSE count(*) END
		WHEN p_agg = 'median' THEN query_median(array_agg(q.value), max(z.steps) - count(*))
		ELSE sum(q.value) END
	FROM query_parts(p_metric, p_dims, p_unit, p_zone, p_from, p_to, p_scope, p_users, p_rooms, p_models, p_roles) q
	LEFT JOIN LATERAL (SELECT query_steps(p_unit, greatest(p_from AT TIME ZONE p_zone, q.step),	-- a week of two months is one of both
			least(p_to AT TIME ZONE p_zone, q.step + CASE WHEN 'year' = ANY (p_dims) THEN interval '1 year'
				WHEN 'quarter' = ANY (p_dims) THEN interval '3 months' WHEN 'month' = ANY (p_dims) THEN interval '1 month'
				WHEN 'week' = ANY (p_dims) THEN interval '1 week' ELSE interval '1 day' END) - interval '1 microsecond') AS steps) z
		ON p_unit IN ('day', 'week', 'month', 'quarter', 'year')
	GROUP BY 1, 2, 3
$$;
