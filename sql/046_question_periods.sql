-- SPDX-License-Identifier: ISC
-- Questions in the time zone of their asker, about names that are known, with averages, shares, thresholds, comparisons.

-- What people see of data is found by name; each index serves one lookup per name of a question.
CREATE INDEX sessions_developer_name ON sessions (lower(developer)) WHERE developer IS NOT NULL;
CREATE INDEX sessions_model_name ON sessions (lower(model)) WHERE model IS NOT NULL;
CREATE INDEX usage_model_name ON usage (lower(model)) WHERE model IS NOT NULL;
CREATE INDEX rooms_lower_name ON rooms (lower(name));
CREATE INDEX users_display_name ON users (lower(name)) WHERE name IS NOT NULL;
COMMENT ON INDEX sessions_developer_name IS 'Names of questions: who worked';
COMMENT ON INDEX sessions_model_name IS 'Names of questions: models of sessions';
COMMENT ON INDEX usage_model_name IS 'Names of questions: models of answers in rooms';
COMMENT ON INDEX rooms_lower_name IS 'Names of questions: rooms';
COMMENT ON INDEX users_display_name IS 'Names of questions: full names';

CREATE FUNCTION query_zone_name(p_name text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF p_name ~ '^[+-](0[0-9]|1[0-4]):?[0-5][0-9]$' THEN	-- POSIX counts the other way round
		RETURN '<' || left(p_name, 3) || ':' || right(p_name, 2) || '>' || CASE left(p_name, 1) WHEN '+' THEN '-' ELSE '+' END
			|| substr(p_name, 2, 2) || ':' || right(p_name, 2);
	ELSIF p_name ~ '^(UTC|GMT|Etc/GMT[+-]([0-9]|1[0-4])|[A-Za-z_]+(/[A-Za-z_-]+)+)$' THEN
		PERFORM now() AT TIME ZONE p_name;
		RETURN p_name;
	END IF;
	RETURN CASE WHEN p_name = 'Z' THEN 'UTC' END;
EXCEPTION WHEN invalid_parameter_value THEN
	RETURN NULL;
END $$;
COMMENT ON FUNCTION query_zone_name(text) IS 'The time zone as AT TIME ZONE takes it, from a name of the tz database or an offset such as +05:30; NULL: there is no such zone. Abbreviations are refused, because several zones share them';

CREATE FUNCTION query_zone(p_user bigint, p_asked text, p_usual text, p_at timestamptz)
RETURNS TABLE (asked_ok boolean, zone text, shown text, local_s bigint)
LANGUAGE sql STABLE AS $$
	SELECT p_asked IS NULL OR query_zone_name(p_asked) IS NOT NULL, z.zone, z.shown,
		floor(extract(epoch FROM (p_at AT TIME ZONE z.zone)))::bigint
	FROM (SELECT query_zone_name(c.name) AS zone, c.name AS shown, c.place
		FROM (VALUES (1, p_asked), (2, (SELECT p.body ->> 'timezone' FROM preferences p WHERE p.user_id = p_user)), (3, p_usual),
			(4, 'UTC')) c (place, name)) z
	WHERE z.zone IS NOT NULL ORDER BY z.place LIMIT 1
$$;
COMMENT ON FUNCTION query_zone(bigint, text, text, timestamptz) IS 'The time zone of a question: of the request, else of the preferences, else the usual one, else UTC; and what its clock shows at p_at, as seconds since 1970';

-- p_scope as in query_facts(). Who is not an analyst knows no other people, public rooms and their own, and the models of their
-- own rows; who is nobody (0) knows only models.
CREATE FUNCTION query_names(p_scope bigint, p_names text[])
RETURNS TABLE (asked text, name text, kind integer)
LANGUAGE sql STABLE AS $$
	SELECT DISTINCT ON (n.asked, k.kind, lower(k.name)) n.asked, k.name, k.kind
	FROM unnest(p_names) n (asked), LATERAL (
		SELECT u.username, 1 FROM users u WHERE lower(u.username) = lower(n.asked) AND (p_scope IS NULL OR u.id = p_scope)
		UNION ALL
		(SELECT s.developer, 1 FROM sessions s WHERE lower(s.developer) = lower(n.asked) AND (p_scope IS NULL OR s.user_id = p_scope)
		LIMIT 1)
		UNION ALL
		SELECT u.username, 1 FROM users u WHERE lower(u.name) = lower(n.asked) AND (p_scope IS NULL OR u.id = p_scope)
			AND NOT EXISTS (SELECT FROM users v WHERE lower(v.username) = lower(n.asked) AND (p_scope IS NULL OR v.id = p_scope))
		UNION ALL
		(SELECT r.name, 2 FROM rooms r WHERE lower(r.name) = lower(n.asked) AND (p_scope IS NULL OR (p_scope > 0 AND r.visibility = 'public')
			OR EXISTS (SELECT FROM members m WHERE m.room_id = r.id AND m.user_id = p_scope)) LIMIT 1)
		UNION ALL
		(SELECT s.model, 3 FROM sessions s WHERE lower(s.model) = lower(n.asked) AND (p_scope IS NULL OR p_scope = 0 OR s.user_id = p_scope) LIMIT 1)
		UNION ALL
		(SELECT g.model, 3 FROM usage g LEFT JOIN rooms r ON r.id = g.room_id WHERE lower(g.model) = lower(n.asked)
			AND (p_scope IS NULL OR g.user_id = p_scope OR (p_scope = 0 AND r.visibility = 'public')) LIMIT 1)
		UNION ALL
		SELECT x.name, 4 FROM roles x WHERE lower(x.name) = lower(n.asked) AND p_scope IS DISTINCT FROM 0
	) k (name, kind)
	ORDER BY n.asked, k.kind, lower(k.name)
$$;
COMMENT ON FUNCTION query_names(bigint, text[]) IS 'Which of these names exist for the asker, and of what: 1 user, 2 room, 3 model, 4 role. A name that the asker may not see is absent';

CREATE FUNCTION query_lower(p_names text[]) RETURNS text[]
LANGUAGE sql STABLE AS $$
	SELECT nullif(ARRAY(SELECT lower(n) FROM unnest(p_names) n), '{}')
$$;
COMMENT ON FUNCTION query_lower(text[]) IS 'Names as query_run() compares them; NULL: there are none';

DROP FUNCTION query_run(text, text[], timestamptz, timestamptz, bigint, text, text, text, text, integer, integer, integer);
DROP FUNCTION query_groups(text, text[], timestamptz, timestamptz, bigint, text, text, text);
DROP FUNCTION query_facts(text, timestamptz, timestamptz, bigint);

CREATE FUNCTION query_facts(p_metric text, p_unit text, p_from timestamptz, p_to timestamptz, p_scope bigint)
RETURNS TABLE (at timestamptz, value bigint, session uuid, user_name text, room_id bigint, room_name text, model text, role_name text)
LANGUAGE sql STABLE AS $$
	SELECT m.created_at, 1::bigint, NULL::uuid, u.username, r.id, r.name, NULL::text, NULL::text
	FROM rooms r JOIN messages m ON m.room_id = r.id AND m.author_kind = 'user' JOIN users u ON u.id = m.author_id
	WHERE p_metric IN ('messages', 'users', 'rooms') AND m.created_at >= p_from AND m.created_at < p_to
		AND m.deleted_at IS NULL AND (p_scope IS NULL OR m.author_id = p_scope OR (p_scope = 0 AND r.visibility = 'public'))
	UNION ALL
	SELECT s.started_at, CASE p_metric WHEN 'tokens' THEN s.total_tokens WHEN 'cost' THEN s.cost_micros WHEN 'errors' THEN s.errors
			WHEN 'error_rate' THEN (s.errors > 0)::integer WHEN 'acceptance' THEN s.accepted_flag::integer ELSE 1 END,
		s.id, coalesce(s.developer, u.username), NULL, NULL, s.model, NULL
	FROM sessions s LEFT JOIN users u ON u.id = s.user_id
	WHERE p_metric IN ('sessions', 'tokens', 'cost', 'users', 'errors', 'error_rate', 'acceptance')
		AND s.started_at >= p_from AND s.started_at < p_to AND (p_metric <> 'acceptance' OR s.accepted_flag IS NOT NULL)
		AND (p_scope IS NULL OR p_scope = 0 OR s.user_id = p_scope)
	UNION ALL
	SELECT g.at, CASE p_metric WHEN 'tokens' THEN g.prompt_tokens + g.completion_tokens WHEN 'cost' THEN g.cost_micros
			WHEN 'errors' THEN (g.state IN ('failed', 'interrupted'))::integer
			WHEN 'error_rate' THEN (g.state IN ('failed', 'interrupted'))::integer
			WHEN 'acceptance' THEN g.accepted_flag::integer ELSE 1 END,
		NULL, u.username, g.room_id, r.name, g.model, x.name
	FROM usage g LEFT JOIN users u ON u.id = g.user_id LEFT JOIN rooms r ON r.id = g.room_id LEFT JOIN roles x ON x.id = g.role_id
	WHERE p_metric IN ('tokens', 'cost', 'users', 'errors', 'error_rate', 'acceptance') AND p_unit <> 'session'
		AND g.at >= p_from AND g.at < p_to AND (p_metric <> 'acceptance' OR g.accepted_flag IS NOT NULL)
		AND (p_metric <> 'cost' OR g.cost_micros IS NOT NULL)
		AND (p_scope IS NULL OR g.user_id = p_scope OR (p_scope = 0 AND r.visibility = 'public'))
	UNION ALL
	SELECT f.updated_at, 1, NULL, u.username, NULL, NULL, NULL, NULL FROM feedback f JOIN users u ON u.id = f.user_id
	WHERE p_metric = 'feedback' AND f.updated_at >= p_from AND f.updated_at < p_to AND (p_scope IS NULL OR f.user_id = p_scope
		OR (p_scope = 0 AND CASE f.target_kind
			WHEN 'message' THEN EXISTS (SELECT FROM rooms r WHERE r.visibility = 'public'
				AND r.id = split_part(f.target_id, '.', 1)::bigint)
			WHEN 'generation' THEN EXISTS (SELECT FROM usage g JOIN rooms r ON r.id = g.room_id WHERE r.visibility = 'public'
				AND g.generation_id = f.target_id::uuid)
			ELSE true END))
$$;
COMMENT ON FUNCTION query_facts(text, text, timestamptz, timestamptz, bigint) IS 'What questions are answered from, one row per message, session, answer or vote; messages are those of people; value: 1, tokens, errors, millionths of a US dollar, or 1 where it was accepted or failed, else 0. p_scope: rows of this account only; 0: what everybody may see, without private rooms; NULL: all. What happened in a room that is gone counts as private. p_unit session: only what belongs to a session';

-- query_facts() by step of time, two labels, what an average is over (unit), and what users and rooms are told apart by.
-- Whole numbers are summed, and DISTINCT is left to a second grouping: both are several times faster than the plain way.
CREATE FUNCTION query_parts(p_metric text, p_dims text[], p_unit text, p_zone text, p_from timestamptz, p_to timestamptz,
	p_scope bigint, p_users text[], p_rooms text[], p_models text[], p_roles text[])
RETURNS TABLE (step timestamp, label1 text, label2 text, unit text, n bigint, value double precision)
LANGUAGE sql STABLE AS $$
	SELECT g.step, g.label1, g.label2, g.unit, sum(g.n)::bigint, CASE WHEN p_metric IN ('users', 'rooms') THEN count(g.thing)
		WHEN p_metric = 'cost' THEN sum(g.value) / 1e6 ELSE sum(g.value) END::double precision
	FROM (SELECT CASE WHEN p_dims && '{day,week,month,quarter,year}' THEN date_trunc(CASE WHEN 'year' = ANY (p_dims) THEN 'year'
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
		WHERE (p_users IS NULL OR lower(f.user_name) = ANY (p_users)) AND (p_rooms IS NULL OR lower(f.room_name) = ANY (p_rooms))
			AND (p_models IS NULL OR lower(f.model) = ANY (p_models)) AND (p_roles IS NULL OR lower(f.role_name) = ANY (p_roles))
			AND NOT (p_metric = 'users' AND 'model' = ANY (p_dims) AND f.model IS NULL)
		GROUP BY 1, 2, 3, 4, 5) g
	WHERE g.unit IS NOT NULL
	GROUP BY 1, 2, 3, 4
$$;
COMMENT ON FUNCTION query_parts(text, text[], text, text, timestamptz, timestamptz, bigint, text[], text[], text[], text[]) IS 'Figures of a question before they are averaged; n: rows in each; for query_groups()';

CREATE FUNCTION query_median(p_values double precision[], p_zeros bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY w.v)
	FROM (SELECT unnest(p_values) AS v UNION ALL SELECT 0 FROM generate_series(1, coalesce(p_zeros, 0))) w
$$;
COMMENT ON FUNCTION query_median(double precision[], bigint) IS 'The median of these figures and of so many zeros';

-- p_agg: sum, average, median or share (which is summed here). An average over steps of time counts steps without anything as
-- 0, the newest one too; one over people or things is about those that are there.
CREATE FUNCTION query_groups(p_metric text, p_agg text, p_dims text[], p_unit text, p_zone text, p_from timestamptz,
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
	LEFT JOIN LATERAL (SELECT count(DISTINCT date_trunc(u.unit, s.day)) AS steps	-- a week of two months is one of both
		FROM (SELECT CASE WHEN p_unit IN ('day', 'week', 'month', 'quarter', 'year') THEN p_unit ELSE 'year' END) u (unit),
			generate_series(date_trunc('day', p_from AT TIME ZONE p_zone), (p_to AT TIME ZONE p_zone) - interval '1 microsecond',
				interval '1 day') s (day)
		WHERE q.step IS NULL OR date_trunc(CASE WHEN 'year' = ANY (p_dims) THEN 'year' WHEN 'quarter' = ANY (p_dims) THEN 'quarter'
			WHEN 'month' = ANY (p_dims) THEN 'month' WHEN 'week' = ANY (p_dims) THEN 'week' ELSE 'day' END, s.day) = q.step) z
		ON p_unit IN ('day', 'week', 'month', 'quarter', 'year')
	GROUP BY 1, 2, 3
$$;
COMMENT ON FUNCTION query_groups(text, text, text[], text, text, timestamptz, timestamptz, bigint, text[], text[], text[], text[]) IS 'Figures of a question, unordered; for query_run()';

-- p_dims: at most one step of time and at most two in all. p_order: '', most or least; '': by time where there is a step of
-- time, else the most first. p_top: only so many; in all (p_each 0) or for each value of p_dims[p_each]. p_only: shares of
-- these values of p_dims[1] only. p_from2: another window to compare with. p_limit: over, under, at_least, at_most, exactly
-- p_bound. Groups whose figure is 0 are left out, but not rates, averages and medians.
-- Planned anew each time: with the words in place most of the above folds away, and it takes half as long.
CREATE FUNCTION query_run(p_metric text, p_agg text, p_dims text[], p_unit text, p_zone text, p_from timestamptz, p_to timestamptz,
	p_from2 timestamptz, p_to2 timestamptz, p_scope bigint, p_users text[], p_rooms text[], p_models text[], p_roles text[],
	p_only text[], p_limit text, p_bound double precision, p_order text, p_top integer, p_each integer, p_rows integer)
RETURNS TABLE (key1 text, key2 text, value double precision, earlier double precision, total2 double precision, total double precision)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	v_plain boolean := p_agg IN ('sum', 'share') AND p_metric NOT IN ('error_rate', 'acceptance');
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
			ON coalesce(a.label1, '') || chr(1) || (a.label1 IS NULL) || chr(1) || coalesce(a.label2, '') || chr(1) || (a.label2 IS NULL)
			= coalesce(b.label1, '') || chr(1) || (b.label1 IS NULL) || chr(1) || coalesce(b.label2, '') || chr(1) || (b.label2 IS NULL)
		WHERE p_from2 IS NOT NULL),
	k AS (SELECT CASE WHEN p_dims[1] IN ('day', 'week', 'month', 'quarter', 'year') THEN to_char(g.step, 'YYYY-MM-DD') ELSE g.label1 END AS key1,
			CASE WHEN p_dims[2] IN ('day', 'week', 'month', 'quarter', 'year') THEN to_char(g.step, 'YYYY-MM-DD') ELSE g.label2 END AS key2,
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
	ORDER BY CASE WHEN p_each = 1 OR (p_each = 0 AND p_order = '' AND p_dims[1] IN ('day', 'week', 'month', 'quarter', 'year')) THEN t.key1
			WHEN p_each = 2 OR (p_order = '' AND p_dims[2] IN ('day', 'week', 'month', 'quarter', 'year')) THEN t.key2 END,
		CASE p_order WHEN 'least' THEN t.value ELSE -t.value END NULLS LAST, t.key1, t.key2
	LIMIT p_rows + 1;
END $$;
COMMENT ON FUNCTION query_run(text, text, text[], text, text, timestamptz, timestamptz, timestamptz, timestamptz, bigint, text[], text[], text[], text[], text[], text, double precision, text, integer, integer, integer) IS 'Answers a question: one row per value of the dimensions (none: at most one row) with the sums over all; one row more than p_rows tells that there are more';
