-- SPDX-License-Identifier: ISC
-- Figures from imported series (commits, prs_merged, pr_merge_hours, rework) and from the list of approved models.

CREATE FUNCTION usage_outcomes(p_from timestamptz, p_to timestamptz, p_developer text, p_model text, p_user bigint,
	p_series boolean, p_lag integer, p_approved text)
RETURNS TABLE (named bigint, days bigint, approved double precision, throughput double precision, commits double precision,
	merge_hours double precision, rework double precision)
LANGUAGE sql STABLE AS $$
	WITH a AS (
		SELECT count(*) AS named, count(*) FILTER (WHERE r.model ILIKE ANY (string_to_array(p_approved, E'\n'))) AS good
		FROM usage_in(p_from, p_to, p_developer, p_model, p_user) r WHERE r.model IS NOT NULL AND p_approved IS NOT NULL
	), s AS (
		SELECT t.day, t.developer, sum(t.value) FILTER (WHERE t.name = 'prs_merged') AS merged,
			sum(t.value) FILTER (WHERE t.name = 'commits') AS commits,
			sum(t.value) FILTER (WHERE t.name = 'pr_merge_hours') AS hours, sum(t.value) FILTER (WHERE t.name = 'rework') AS rework
		FROM usage_series t
		WHERE p_series AND t.name IN ('prs_merged', 'commits', 'pr_merge_hours', 'rework')
			AND t.day >= (p_from AT TIME ZONE 'UTC')::date + p_lag AND t.day < p_to AT TIME ZONE 'UTC' + make_interval(days => p_lag)
			AND (p_developer IS NULL OR t.developer = p_developer)
		GROUP BY t.day, t.developer
	)
	SELECT a.named, v.days, 100.0 * a.good / nullif(a.named, 0)::double precision,
		v.merged / (extract(epoch FROM p_to - p_from) / 604800)::double precision,
		v.commits / (extract(epoch FROM p_to - p_from) / 86400)::double precision, v.hours,
		100.0 * v.rework / nullif(v.merged, 0)
	FROM a, (SELECT count(*) AS days, sum(s.merged) AS merged, sum(s.commits) AS commits,
			sum(s.hours * greatest(coalesce(s.merged, 1), 1)) / sum(greatest(coalesce(s.merged, 1), 1)) FILTER (WHERE s.hours IS NOT NULL)
				AS hours,
			CASE WHEN count(s.merged) > 0 THEN coalesce(sum(s.rework), 0) END AS rework FROM s) v
$$;
COMMENT ON FUNCTION usage_outcomes(timestamptz, timestamptz, text, text, bigint, boolean, integer, text) IS 'Figures from usage_series, p_lag days later than the window, and the share of sessions with an approved model; p_approved: LIKE patterns, one a line; NULL where there is nothing to compute from. pr_merge_hours is a mean per day and developer, weighted by prs_merged';
