-- SPDX-License-Identifier: ISC
-- Questions by two dimensions, ranked; what was not understood is kept beside what was.

ALTER TABLE query_history ADD COLUMN understood boolean NOT NULL DEFAULT true;
ALTER TABLE query_history ALTER COLUMN intent DROP NOT NULL;
ALTER TABLE query_history ADD CONSTRAINT query_history_intent CHECK (understood = (intent IS NOT NULL));
COMMENT ON TABLE query_history IS 'Questions that were asked, answered or not understood; POST /api/query. Their askers see those that were answered';
COMMENT ON COLUMN query_history.id IS 'Id of the answer; of what was not understood: of the row';
COMMENT ON COLUMN query_history.intent IS 'What was understood; NULL: nothing';
COMMENT ON COLUMN query_history.rows IS 'Rows of the answer; 0 when it was not understood';
COMMENT ON COLUMN query_history.understood IS 'false: a word that no rule takes, or a question that the data cannot answer';

-- One row per thing that a question can count or add up. p_scope: rows of this account only; NULL: everybody's.
CREATE FUNCTION query_facts(p_metric text, p_from timestamptz, p_to timestamptz, p_scope bigint)
RETURNS TABLE (at timestamptz, value bigint, user_name text, room_id bigint, room_name text, model text, role_name text)
LANGUAGE sql STABLE AS $$
	SELECT m.created_at, 1::bigint, u.username, r.id, r.name, NULL::text, NULL::text
	FROM rooms r JOIN messages m ON m.room_id = r.id AND m.author_kind = 'user' JOIN users u ON u.id = m.author_id
	WHERE p_metric IN ('messages', 'users', 'rooms') AND m.created_at >= p_from AND m.created_at < p_to
		AND m.deleted_at IS NULL AND (p_scope IS NULL OR m.author_id = p_scope)
	UNION ALL
	SELECT s.started_at, CASE p_metric WHEN 'tokens' THEN s.total_tokens WHEN 'cost' THEN s.cost_micros ELSE 1 END,
		coalesce(s.developer, u.username), NULL, NULL, s.model, NULL
	FROM sessions s LEFT JOIN users u ON u.id = s.user_id
	WHERE p_metric IN ('sessions', 'tokens', 'cost', 'users') AND s.started_at >= p_from AND s.started_at < p_to
		AND (p_scope IS NULL OR s.user_id = p_scope)
	UNION ALL
	SELECT g.at, CASE p_metric WHEN 'tokens' THEN g.prompt_tokens + g.completion_tokens
			WHEN 'cost' THEN coalesce(g.cost_micros, 0) ELSE 1 END,
		u.username, g.room_id, r.name, g.model, x.name
	FROM usage g LEFT JOIN users u ON u.id = g.user_id LEFT JOIN rooms r ON r.id = g.room_id LEFT JOIN roles x ON x.id = g.role_id
	WHERE p_metric IN ('tokens', 'cost', 'users') AND g.at >= p_from AND g.at < p_to
		AND (p_scope IS NULL OR g.user_id = p_scope)
	UNION ALL
	SELECT f.updated_at, 1, u.username, NULL, NULL, NULL, NULL FROM feedback f JOIN users u ON u.id = f.user_id
	WHERE p_metric = 'feedback' AND f.updated_at >= p_from AND f.updated_at < p_to AND (p_scope IS NULL OR f.user_id = p_scope)
$$;
COMMENT ON FUNCTION query_facts(text, timestamptz, timestamptz, bigint) IS 'What questions are answered from, one row per message, session, answer or vote; messages are those of people; value: 1, tokens, or millionths of a US dollar';

-- query_facts() by step of time, two labels, and what users and rooms are told apart by. Whole numbers are summed, and
-- DISTINCT is left to a second grouping: both are several times faster than the plain way.
CREATE FUNCTION query_groups(p_metric text, p_dims text[], p_from timestamptz, p_to timestamptz, p_scope bigint, p_user text,
	p_room text, p_model text)
RETURNS TABLE (step timestamp, label1 text, label2 text, value double precision)
LANGUAGE sql STABLE AS $$
	SELECT g.step, g.label1, g.label2, CASE WHEN p_metric IN ('users', 'rooms') THEN count(g.thing) WHEN p_metric = 'cost'
		THEN sum(g.value) / 1e6 ELSE sum(g.value) END::double precision
	FROM (SELECT CASE WHEN p_dims && '{day,week,month}' THEN date_trunc(CASE WHEN 'month' = ANY (p_dims) THEN 'month'
				WHEN 'week' = ANY (p_dims) THEN 'week' ELSE 'day' END, f.at AT TIME ZONE 'UTC') END AS step,
			CASE p_dims[1] WHEN 'user' THEN f.user_name WHEN 'room' THEN f.room_name WHEN 'model' THEN f.model
				WHEN 'role' THEN f.role_name END AS label1,
			CASE p_dims[2] WHEN 'user' THEN f.user_name WHEN 'room' THEN f.room_name WHEN 'model' THEN f.model
				WHEN 'role' THEN f.role_name END AS label2,
			CASE p_metric WHEN 'users' THEN f.user_name WHEN 'rooms' THEN f.room_id::text END AS thing, sum(f.value) AS value
		FROM query_facts(p_metric, p_from, p_to, p_scope) f
		WHERE (p_user IS NULL OR lower(f.user_name) = lower(p_user)) AND (p_room IS NULL OR lower(f.room_name) = lower(p_room))
			AND (p_model IS NULL OR lower(f.model) = lower(p_model))
		GROUP BY 1, 2, 3, 4) g
	GROUP BY 1, 2, 3
$$;
COMMENT ON FUNCTION query_groups(text, text[], timestamptz, timestamptz, bigint, text, text, text) IS 'Figures of a question, unordered; for query_run()';

-- p_dims: at most one of day, week, month and at most two in all. p_order: '', most or least; '': by time where there is a
-- step of time, else the most first. p_top: only so many; in all (p_each 0) or for each value of p_dims[p_each].
-- Planned anew each time: with the words in place most of the above folds away, and it takes half as long.
CREATE FUNCTION query_run(p_metric text, p_dims text[], p_from timestamptz, p_to timestamptz, p_scope bigint, p_user text,
	p_room text, p_model text, p_order text, p_top integer, p_each integer, p_limit integer)
RETURNS TABLE (key1 text, key2 text, value double precision, total double precision)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
BEGIN
	RETURN QUERY
	SELECT t.key1, t.key2, t.value, t.total
	FROM (SELECT k.*, sum(k.value) OVER () AS total,
			CASE WHEN p_top IS NOT NULL THEN row_number() OVER (PARTITION BY CASE p_each WHEN 1 THEN k.key1 WHEN 2 THEN k.key2 END
				ORDER BY CASE p_order WHEN 'least' THEN k.value ELSE -k.value END, k.key1, k.key2) END AS place
		FROM (SELECT CASE WHEN p_dims[1] IN ('day', 'week', 'month') THEN to_char(g.step, 'YYYY-MM-DD') ELSE g.label1 END AS key1,
				CASE WHEN p_dims[2] IN ('day', 'week', 'month') THEN to_char(g.step, 'YYYY-MM-DD') ELSE g.label2 END AS key2,
				g.value
			FROM query_groups(p_metric, p_dims, p_from, p_to, p_scope, p_user, p_room, p_model) g) k) t
	WHERE p_top IS NULL OR t.place <= p_top
	ORDER BY CASE WHEN p_each = 1 OR (p_each = 0 AND p_order = '' AND p_dims[1] IN ('day', 'week', 'month')) THEN t.key1
			WHEN p_each = 2 OR (p_order = '' AND p_dims[2] IN ('day', 'week', 'month')) THEN t.key2 END,
		CASE p_order WHEN 'least' THEN t.value ELSE -t.value END, t.key1, t.key2
	LIMIT p_limit + 1;
END $$;
COMMENT ON FUNCTION query_run(text, text[], timestamptz, timestamptz, bigint, text, text, text, text, integer, integer, integer) IS 'Answers a question: one row per value of the dimensions (none: at most one row) with the sum over all; one row more than p_limit tells that there are more';

CREATE FUNCTION query_suggest(p_user bigint)
RETURNS TABLE (text text, reason text)
LANGUAGE sql STABLE AS $$
	(SELECT h.query, 'You asked this ' || count(*) || CASE WHEN count(*) = 1 THEN ' time.' ELSE ' times.' END
	FROM query_history h WHERE h.user_id = p_user AND h.understood AND h.expires_at > now() GROUP BY h.query
	ORDER BY count(*) DESC, max(h.created_at) DESC LIMIT 3)
	UNION ALL
	(SELECT 'My messages in room "' || r.name || '" per day, last 7 days', 'You wrote ' || k.n || ' messages there in the last 7 days.'
	FROM members b JOIN rooms r ON r.id = b.room_id, LATERAL (SELECT count(*) AS n FROM messages m WHERE m.room_id = r.id
		AND m.author_kind = 'user' AND m.author_id = p_user AND m.created_at > now() - interval '7 days' AND m.deleted_at IS NULL) k
	WHERE b.user_id = p_user AND k.n > 0 AND strpos(r.name, '"') = 0 ORDER BY k.n DESC, r.id LIMIT 2)
	UNION ALL
	(SELECT 'My tokens per model, last 30 days', 'You used ' || count(DISTINCT g.model) || ' model' ||
		CASE WHEN count(DISTINCT g.model) = 1 THEN '' ELSE 's' END || ' in the last 30 days.'
	FROM usage g WHERE g.user_id = p_user AND g.at > now() - interval '30 days' HAVING count(DISTINCT g.model) > 0)
	UNION ALL
	(SELECT 'My sessions per day, last 30 days', 'You had ' || count(*) || CASE WHEN count(*) = 1 THEN ' session' ELSE ' sessions' END || ' in the last 30 days.'
	FROM sessions s WHERE s.user_id = p_user AND s.started_at > now() - interval '30 days' HAVING count(*) > 0)
$$;
COMMENT ON FUNCTION query_suggest(bigint) IS 'Questions that a user may want to ask, from what they asked before and from their own data, with the reason';

CREATE INDEX messages_created ON messages USING brin (created_at) WITH (pages_per_range = 16, autosummarize = on);
COMMENT ON INDEX messages_created IS 'Questions about a time: messages lie in the order of their time, and a block range index costs a write next to nothing';
CREATE INDEX feedback_updated ON feedback (updated_at);
COMMENT ON INDEX feedback_updated IS 'Questions about votes of a time';
