-- SPDX-License-Identifier: ISC
-- Questions by hour, hour of the day, and weekday; a user is found by both names of a session, that of the source and the account.

CREATE FUNCTION query_step_name(p_dim text, p_step timestamp, p_zone text) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT CASE p_dim WHEN 'weekday' THEN to_char(p_step, 'FMDay') WHEN 'hour_of_day' THEN to_char(p_step, 'HH24:MI')
		WHEN 'hour' THEN (SELECT to_char(l.at, 'YYYY-MM-DD"T"HH24:MI') || CASE WHEN l.at < p_step THEN '-' ELSE '+' END
				|| to_char(greatest(l.at - p_step, p_step - l.at), 'HH24:MI')
			FROM (SELECT (p_step AT TIME ZONE 'UTC') AT TIME ZONE p_zone) l (at))
		ELSE to_char(p_step, 'YYYY-MM-DD') END
$$;
COMMENT ON FUNCTION query_step_name(text, timestamp, text) IS 'A step of query_parts() as the rows of an answer have it: a weekday, an hour of the day, an hour with the offset from UTC that its zone had then, or the first day';

DROP FUNCTION query_facts(text, text, timestamptz, timestamptz, bigint);
CREATE FUNCTION query_facts(p_metric text, p_unit text, p_from timestamptz, p_to timestamptz, p_scope bigint)
RETURNS TABLE (at timestamptz, value bigint, session uuid, user_name text, account text, room_id bigint, room_name text, model text, role_name text)
LANGUAGE sql STABLE AS $$
	SELECT m.created_at, 1::bigint, NULL::uuid, u.username, u.username, r.id, r.name, NULL::text, NULL::text
	FROM rooms r JOIN messages m ON m.room_id = r.id AND m.author_kind = 'user' JOIN users u ON u.id = m.author_id
	WHERE p_metric IN ('messages', 'users', 'rooms') AND m.created_at >= p_from AND m.created_at < p_to
		AND m.deleted_at IS NULL AND (p_scope IS NULL OR m.author_id = p_scope OR (p_scope = 0 AND r.visibility = 'public'))
	UNION ALL
	SELECT s.started_at, CASE p_metric WHEN 'tokens' THEN s.total_tokens WHEN 'cost' THEN s.cost_micros WHEN 'errors' THEN s.errors
			WHEN 'error_rate' THEN (s.errors > 0)::integer WHEN 'acceptance' THEN s.accepted_flag::integer ELSE 1 END,
		s.id, coalesce(s.developer, u.username), u.username, NULL, NULL, s.model, NULL
	FROM sessions s LEFT JOIN users u ON u.id = s.user_id
	WHERE p_metric IN ('sessions', 'tokens', 'cost', 'users', 'errors', 'error_rate', 'acceptance')
		AND s.started_at >= p_from AND s.started_at < p_to AND (p_metric <> 'acceptance' OR s.accepted_flag IS NOT NULL)
		AND (p_scope IS NULL OR p_scope = 0 OR s.user_id = p_scope)
	UNION ALL
	SELECT g.at, CASE p_metric WHEN 'tokens' THEN g.prompt_tokens + g.completion_tokens WHEN 'cost' THEN g.cost_micros
			WHEN 'errors' THEN (g.state IN ('failed', 'interrupted'))::integer
			WHEN 'error_rate' THEN (g.state IN ('failed', 'interrupted'))::integer
			WHEN 'acceptance' THEN g.accepted_flag::integer ELSE 1 END,
		NULL, u.username, u.username, g.room_id, r.name, g.model, x.name
	FROM usage g LEFT JOIN users u ON u.id = g.user_id LEFT JOIN rooms r ON r.id = g.room_id LEFT JOIN roles x ON x.id = g.role_id
	WHERE p_metric IN ('tokens', 'cost', 'users', 'errors', 'error_rate', 'acceptance') AND p_unit <> 'session'
		AND g.at >= p_from AND g.at < p_to AND (p_metric <> 'acceptance' OR g.accepted_flag IS NOT NULL)
		AND (p_metric <> 'cost' OR g.cost_micros IS NOT NULL)
		AND (p_scope IS NULL OR g.user_id = p_scope OR (p_scope = 0 AND r.visibility = 'public'))
	UNION ALL
	SELECT f.updated_at, 1, NULL, u.username, u.username, NULL, NULL, NULL, NULL FROM feedback f JOIN users u ON u.id = f.user_id
	WHERE p_metric = 'feedback' AND f.updated_at >= p_from AND f.updated_at < p_to AND (p_scope IS NULL OR f.user_id = p_scope
		OR (p_scope = 0 AND CASE f.target_kind
			WHEN 'message' THEN EXISTS (SELECT FROM rooms r WHERE r.visibility = 'public'
				AND r.id = split_part(f.target_id, '.', 1)::bigint)
			WHEN 'generation' THEN EXISTS (SELECT FROM usage g JOIN rooms r ON r.id = g.room_id WHERE r.visibility = 'public'
				AND g.generation_id = f.target_id::uuid)
			ELSE true END))
$$;
COMMENT ON FUNCTION query_facts(text, text, timestamptz, timestamptz, bigint) IS 'What questions are answered from, one row per message, session, answer or vote; messages are those of people; value: 1, tokens, errors, millionths of a US dollar, or 1 where it was accepted or failed, else 0. p_scope: rows of this account only; 0: what everybody may see, without private rooms; NULL: all. What happened in a room that is gone counts as private. user_name: who worked, as the source says, else account. p_unit session: only what belongs to a session';

-- step: the first day; the hour in UTC; for weekdays and hours of the day a moment of the week from 2001-01-01, a Monday.
CREATE OR REPLACE FUNCTION query_parts(p_metric text, p_dims text[], p_unit text, p_zone text, p_from timestamptz, p_to timestamptz,
	p_scope bigint, p_users text[], p_rooms text[], p_models text[], p_roles text[])
RETURNS TABLE (step timestamp, label1 text, label2 text, unit text, n bigint, value double precision)
LANGUAGE sql STABLE AS $$
	SELECT g.step, g.label1, g.label2, g.unit, sum(g.n)::bigint, CASE WHEN p_metric IN ('users', 'rooms') THEN count(g.thing)
		WHEN p_metric = 'cost' THEN sum(g.value) / 1e6 ELSE sum(g.value) END::double precision
	FROM (SELECT CASE WHEN 'weekday' = ANY (p_dims)
				THEN timestamp '2001-01-01' + (extract(isodow FROM f.at AT TIME ZONE p_zone)::integer - 1) * interval '1 day'
			WHEN 'hour_of_day' = ANY (p_dims)
				THEN timestamp '2001-01-01' + extract(hour FROM f.at AT TIME ZONE p_zone)::integer * interval '1 hour'
			WHEN 'hour' = ANY (p_dims)	-- in UTC: the zone's clock shows some hours twice
				THEN date_trunc('hour', f.at AT TIME ZONE p_zone) - (f.at AT TIME ZONE p_zone - f.at AT TIME ZONE 'UTC')
			WHEN p_dims && '{day,week,month,quarter,year}' THEN date_trunc(CASE WHEN 'year' = ANY (p_dims) THEN 'year'
				WHEN 'quarter' = ANY (p_dims) THEN 'quarter' WHEN 'month' = ANY (p_dims) THEN 'month'
				WHEN 'week' = ANY (p_dims) THEN 'week' ELSE 'day' END, f.at AT TIME ZONE p_zone) END AS step,
			CASE p_dims[1] WHEN 'user' THEN f.user_name WHEN 'room' THEN f.room_name WHEN 'model' THEN f.model
				WHEN 'role' THEN f.role_name END AS label1,
			CASE p_dims[2] WHEN 'user' THEN f.user_name WHEN 'room' THEN f.room_name WHEN 'model' THEN f.model
				WHEN 'role' THEN f.role_name END AS label2,
			CASE WHEN p_unit = '' THEN '' WHEN p_unit = 'session' THEN f.session::text WHEN p_unit = 'user' THEN f.user_name
				WHEN p_unit = 'room' THEN f.room_id::text WHEN p_unit = 'model' THEN f.model WHEN p_unit = 'role' THEN f.role_name
				ELSE date_trunc(p_unit, f.at AT TIME ZONE p_zone)::text END AS unit,
			CASE p_metric WHEN 'users' THEN f.user_name WHEN 'rooms' THEN f.room_id::text END AS thing,
			sum(f.value) AS value, count(*) AS n
		FROM query_facts(p_metric, p_unit, p_from, p_to, p_scope) f
		WHERE (p_users IS NULL OR lower(f.user_name) = ANY (p_users) OR lower(f.account) = ANY (p_users)) AND (p_rooms IS NULL OR lower(f.room_name) = ANY (p_rooms))
			AND (p_models IS NULL OR lower(f.model) = ANY (p_models)) AND (p_roles IS NULL OR lower(f.role_name) = ANY (p_roles))
			AND NOT (p_metric = 'users' AND 'model' = ANY (p_dims) AND f.model IS NULL)
		GROUP BY 1, 2, 3, 4, 5) g
	WHERE g.unit IS NOT NULL
	GROUP BY 1, 2, 3, 4
$$;

CREATE OR REPLACE FUNCTION query_run(p_metric text, p_agg text, p_dims text[], p_unit text, p_zone text, p_from timestamptz, p_to timestamptz,
	p_from2 timestamptz, p_to2 timestamptz, p_scope bigint, p_users text[], p_rooms text[], p_models text[], p_roles text[],
	p_only text[], p_limit text, p_bound double precision, p_order text, p_top integer, p_each integer, p_rows integer)
RETURNS TABLE (key1 text, key2 text, value double precision, earlier double precision, total2 double precision, total double precision)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	v_plain boolean := p_agg IN ('sum', 'share') AND p_metric NOT IN ('error_rate', 'acceptance');
	v_steps text[] := '{hour,day,week,month,quarter,year,hour_of_day,weekday}';
BEGIN
	RETURN QUERY
	WITH a AS (SELECT * FROM query_groups(p_metric, p_agg, p_dims, p_unit, p_zone, p_from, p_to, p_scope, p_users, p_rooms, p_models,
			p_roles)),
	g AS (
		SELECT a.step, a.label1, a.label2, a.value, NULL::double precision AS earlier FROM a WHERE p_from2 IS NULL
		UNION ALL
		SELECT coalesce(a.step, b.step), coalesce(a.label1, b.label1), coalesce(a.label2, b.label2),
			CASE WHEN v_plain THEN coalesce(a.value, 0) ELSE a.value END, CASE WHEN v_plain THEN coalesce(b.value, 0) ELSE b.value END
		FROM a FULL JOIN (SELECT * FROM query_groups(p_metric, p_agg, p_dims, p_unit, p_zone, p_from2, p_to2, p_scope, p_users, p_rooms,
				p_models, p_roles) c WHERE p_from2 IS NOT NULL) b
			ON coalesce(a.step::text, '') || chr(1) || coalesce(a.label1, '') || chr(1) || (a.label1 IS NULL) || chr(1) || coalesce(a.label2, '') || chr(1) || (a.label2 IS NULL)
			= coalesce(b.step::text, '') || chr(1) || coalesce(b.label1, '') || chr(1) || (b.label1 IS NULL) || chr(1) || coalesce(b.label2, '') || chr(1) || (b.label2 IS NULL)
		WHERE p_from2 IS NOT NULL),
	k AS (SELECT g.step, CASE WHEN p_dims[1] = ANY (v_steps) THEN query_step_name(p_dims[1], g.step, p_zone) ELSE g.label1 END AS key1,
			CASE WHEN p_dims[2] = ANY (v_steps) THEN query_step_name(p_dims[2], g.step, p_zone) ELSE g.label2 END AS key2,
			CASE WHEN p_agg = 'share' THEN 100 * g.value / nullif(sum(g.value) OVER (), 0) ELSE g.value END AS value, g.earlier
		FROM g WHERE NOT v_plain OR cardinality(p_dims) = 0 OR g.value <> 0 OR g.earlier <> 0),
	f AS (SELECT k.* FROM k WHERE (p_only IS NULL OR lower(k.key1) = ANY (p_only))
		AND CASE p_limit WHEN 'over' THEN k.value > p_bound WHEN 'under' THEN k.value < p_bound WHEN 'at_least' THEN k.value >= p_bound
			WHEN 'at_most' THEN k.value <= p_bound WHEN 'exactly' THEN k.value = p_bound ELSE true END),
	t AS (SELECT f.*, sum(f.value) OVER () AS total, sum(f.earlier) OVER () AS total2,
			CASE WHEN p_top IS NOT NULL THEN row_number() OVER (PARTITION BY CASE p_each WHEN 1 THEN f.key1 WHEN 2 THEN f.key2 END
				ORDER BY CASE p_order WHEN 'least' THEN f.value ELSE -f.value END NULLS LAST, f.key1, f.key2) END AS place
		FROM f)
	SELECT t.key1, t.key2, t.value, t.earlier, t.total2, t.total FROM t
	WHERE p_top IS NULL OR t.place <= p_top
	ORDER BY CASE WHEN CASE WHEN p_each = 0 THEN p_order = '' ELSE p_dims[p_each] = ANY (v_steps) END THEN t.step END,
		CASE p_each WHEN 1 THEN t.key1 WHEN 2 THEN t.key2 END,
		CASE p_order WHEN 'least' THEN t.value ELSE -t.value END NULLS LAST, t.key1, t.key2
	LIMIT p_rows + 1;
END $$;
