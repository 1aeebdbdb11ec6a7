-- SPDX-License-Identifier: ISC
-- Preferences, dashboards, and questions in words about the data.

CREATE TABLE preferences (
	user_id    bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
	body       json NOT NULL CHECK (octet_length(body::text) <= 16384),
	updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE preferences IS 'What clients keep for a user; PATCH /api/profile';
COMMENT ON COLUMN preferences.user_id IS 'Whose';
COMMENT ON COLUMN preferences.body IS 'A JSON object; the server does not read it';
COMMENT ON COLUMN preferences.updated_at IS 'Newest change';

CREATE TABLE dashboards (
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	layout_id  text NOT NULL CHECK (layout_id ~ '^[A-Za-z0-9_.-]{1,64}$'),
	version    bigint NOT NULL DEFAULT 1,
	cards      json NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (user_id, layout_id)
);
COMMENT ON TABLE dashboards IS 'Layouts of dashboards, each its user''s own; /api/dashboard';
COMMENT ON COLUMN dashboards.user_id IS 'Owner';
COMMENT ON COLUMN dashboards.layout_id IS 'Name, unique for its owner';
COMMENT ON COLUMN dashboards.version IS 'Goes up by one with each save; also the ETag';
COMMENT ON COLUMN dashboards.cards IS 'Checked cards on a grid of 12 columns';
COMMENT ON COLUMN dashboards.created_at IS 'First save';
COMMENT ON COLUMN dashboards.updated_at IS 'Newest save';

-- p_match and p_version: what the client says the version is, by If-Match and in the body; NULL: it says nothing.
CREATE FUNCTION dashboard_save(p_user bigint, p_layout text, p_match bigint, p_version bigint, p_cards json, p_max bigint)
RETURNS TABLE (status text, version bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_have bigint;
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;	-- counts one at a time
	SELECT d.version INTO v_have FROM dashboards d WHERE d.user_id = p_user AND d.layout_id = p_layout FOR UPDATE;
	IF p_match IS NOT NULL AND p_match IS DISTINCT FROM v_have AND (p_match <> 0 OR v_have IS NULL) THEN
		RETURN QUERY SELECT 'stale', v_have;
	ELSIF p_version IS NOT NULL AND p_version <> coalesce(v_have, 0) THEN
		RETURN QUERY SELECT 'conflict', v_have;
	ELSIF v_have IS NULL AND (SELECT count(*) FROM dashboards d WHERE d.user_id = p_user) >= p_max THEN
		RETURN QUERY SELECT 'limit', v_have;
	ELSE
		RETURN QUERY INSERT INTO dashboards AS d (user_id, layout_id, cards) VALUES (p_user, p_layout, p_cards)
			ON CONFLICT (user_id, layout_id) DO UPDATE SET cards = excluded.cards, version = d.version + 1,
				updated_at = clock_timestamp()
			RETURNING 'ok', d.version;
	END IF;
END $$;
COMMENT ON FUNCTION dashboard_save(bigint, text, bigint, bigint, json, bigint) IS 'Makes or replaces a layout; stale: If-Match (0: any that exists) does not hold; conflict: the version in the body does not; gives the version there is';

CREATE FUNCTION dashboard_delete(p_user bigint, p_layout text, p_match bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_have bigint;
BEGIN
	SELECT d.version INTO v_have FROM dashboards d WHERE d.user_id = p_user AND d.layout_id = p_layout FOR UPDATE;
	IF NOT FOUND THEN
		RETURN 'not_found';
	ELSIF p_match IS NOT NULL AND p_match NOT IN (0, v_have) THEN
		RETURN 'stale';
	END IF;
	DELETE FROM dashboards d WHERE d.user_id = p_user AND d.layout_id = p_layout;
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION dashboard_delete(bigint, text, bigint) IS 'Deletes a layout; p_match as in dashboard_save()';

CREATE FUNCTION profile_of(p_user bigint)
RETURNS TABLE (preferences text, messages bigint, rooms bigint, sessions bigint, answers bigint, tokens bigint,
	cost_micros bigint, votes bigint)
LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT p.body::text FROM preferences p WHERE p.user_id = p_user), '{}'),
		(SELECT coalesce(sum(k.n), 0)::bigint FROM rooms r, LATERAL (SELECT count(*) AS n FROM messages m WHERE m.room_id = r.id
			AND m.author_kind = 'user' AND m.author_id = p_user AND m.deleted_at IS NULL) k),
		(SELECT count(*) FROM members m WHERE m.user_id = p_user), s.n, g.n, s.tokens + g.tokens, s.cost + g.cost,
		(SELECT count(*) FROM feedback f WHERE f.user_id = p_user)
	FROM (SELECT count(*) AS n, coalesce(sum(t.total_tokens), 0)::bigint AS tokens,
			coalesce(sum(t.cost_micros), 0)::bigint AS cost FROM sessions t WHERE t.user_id = p_user) s,
		(SELECT count(*) AS n, coalesce(sum(t.prompt_tokens + t.completion_tokens), 0)::bigint AS tokens,
			coalesce(sum(t.cost_micros), 0)::bigint AS cost FROM usage t WHERE t.user_id = p_user) g
$$;
COMMENT ON FUNCTION profile_of(bigint) IS 'Preferences of a user and what they have done so far; GET /api/profile';

-- Questions. The words become parameters of query_run(), which holds every statement there is.

CREATE TABLE query_history (
	id         uuid PRIMARY KEY,
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	query      text NOT NULL CHECK (length(query) <= 500),
	intent     json NOT NULL,
	rows       integer NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires_at timestamptz NOT NULL
);
CREATE INDEX query_history_user ON query_history (user_id, created_at);
CREATE INDEX query_history_expires ON query_history (expires_at);
COMMENT ON TABLE query_history IS 'Questions that were understood and answered; POST /api/query';
COMMENT ON COLUMN query_history.id IS 'Id of the answer';
COMMENT ON COLUMN query_history.user_id IS 'Who asked';
COMMENT ON COLUMN query_history.query IS 'The question as it came';
COMMENT ON COLUMN query_history.intent IS 'What was understood';
COMMENT ON COLUMN query_history.rows IS 'Rows of the answer';
COMMENT ON COLUMN query_history.created_at IS 'When';
COMMENT ON COLUMN query_history.expires_at IS 'When it is thrown away: setting query_history at the time of asking';

-- One row per thing that a question can count or add up. p_scope: rows of this account only; NULL: everybody's.
CREATE FUNCTION query_facts(p_metric text, p_from timestamptz, p_to timestamptz, p_scope bigint)
RETURNS TABLE (at timestamptz, value numeric, user_name text, room_id bigint, room_name text, model text, role_name text)
LANGUAGE sql STABLE AS $$
	SELECT m.created_at, 1::numeric, u.username, r.id, r.name, NULL::text, NULL::text
	FROM rooms r JOIN messages m ON m.room_id = r.id AND m.author_kind = 'user' JOIN users u ON u.id = m.author_id
	WHERE p_metric IN ('messages', 'users', 'rooms') AND m.created_at >= p_from AND m.created_at < p_to
		AND m.deleted_at IS NULL AND (p_scope IS NULL OR m.author_id = p_scope)
	UNION ALL
	SELECT s.started_at, CASE p_metric WHEN 'tokens' THEN s.total_tokens WHEN 'cost' THEN s.cost_micros / 1e6 ELSE 1 END,
		coalesce(s.developer, u.username), NULL, NULL, s.model, NULL
	FROM sessions s LEFT JOIN users u ON u.id = s.user_id
	WHERE p_metric IN ('sessions', 'tokens', 'cost', 'users') AND s.started_at >= p_from AND s.started_at < p_to
		AND (p_scope IS NULL OR s.user_id = p_scope)
	UNION ALL
	SELECT g.at, CASE p_metric WHEN 'tokens' THEN g.prompt_tokens + g.completion_tokens
			WHEN 'cost' THEN coalesce(g.cost_micros, 0) / 1e6 ELSE 1 END,
		u.username, g.room_id, r.name, g.model, x.name
	FROM usage g LEFT JOIN users u ON u.id = g.user_id LEFT JOIN rooms r ON r.id = g.room_id LEFT JOIN roles x ON x.id = g.role_id
	WHERE p_metric IN ('tokens', 'cost', 'users') AND g.at >= p_from AND g.at < p_to
		AND (p_scope IS NULL OR g.user_id = p_scope)
	UNION ALL
	SELECT f.updated_at, 1, u.username, NULL, NULL, NULL, NULL FROM feedback f JOIN users u ON u.id = f.user_id
	WHERE p_metric = 'feedback' AND f.updated_at >= p_from AND f.updated_at < p_to AND (p_scope IS NULL OR f.user_id = p_scope)
$$;
COMMENT ON FUNCTION query_facts(text, timestamptz, timestamptz, bigint) IS 'What questions are answered from, one row per message, session, answer or vote; messages are those of people';

CREATE FUNCTION query_run(p_metric text, p_dim text, p_from timestamptz, p_to timestamptz, p_scope bigint, p_user text,
	p_room text, p_model text, p_limit integer)
RETURNS TABLE (key text, value double precision, total double precision)
LANGUAGE sql STABLE AS $$
	SELECT k.key, k.value::double precision, sum(k.value) OVER ()::double precision
	FROM (SELECT CASE WHEN p_dim IN ('day', 'week', 'month')
				THEN to_char(date_trunc(p_dim, f.at, 'UTC') AT TIME ZONE 'UTC', 'YYYY-MM-DD')
			WHEN p_dim = 'user' THEN f.user_name WHEN p_dim = 'room' THEN f.room_name WHEN p_dim = 'model' THEN f.model
			WHEN p_dim = 'role' THEN f.role_name END AS key,
		CASE p_metric WHEN 'users' THEN count(DISTINCT f.user_name)::numeric WHEN 'rooms' THEN count(DISTINCT f.room_id)::numeric
			ELSE coalesce(sum(f.value), 0) END AS value
		FROM query_facts(p_metric, p_from, p_to, p_scope) f
		WHERE (p_user IS NULL OR lower(f.user_name) = lower(p_user)) AND (p_room IS NULL OR lower(f.room_name) = lower(p_room))
			AND (p_model IS NULL OR lower(f.model) = lower(p_model))
		GROUP BY 1) k
	ORDER BY CASE WHEN p_dim NOT IN ('day', 'week', 'month') THEN -k.value END, k.key LIMIT p_limit + 1
$$;
COMMENT ON FUNCTION query_run(text, text, timestamptz, timestamptz, bigint, text, text, text, integer) IS 'Answers a question: one row per value of the dimension (none: at most one row) with the sum over all; one row more than p_limit tells that there are more';

CREATE FUNCTION query_suggest(p_user bigint)
RETURNS TABLE (text text, reason text)
LANGUAGE sql STABLE AS $$
	(SELECT h.query, 'You asked this ' || count(*) || CASE WHEN count(*) = 1 THEN ' time.' ELSE ' times.' END
	FROM query_history h WHERE h.user_id = p_user AND h.expires_at > now() GROUP BY h.query ORDER BY count(*) DESC, max(h.created_at) DESC LIMIT 3)
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

CREATE FUNCTION query_purge(p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH gone AS (
		DELETE FROM query_history t WHERE t.id = ANY (ARRAY(SELECT s.id FROM query_history s WHERE s.expires_at < now()
			ORDER BY s.expires_at LIMIT p_limit)) RETURNING 1
	)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION query_purge(integer) IS 'Throws away questions whose time is over; gives how many';
