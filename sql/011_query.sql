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

CREATE FUNCTION query_purge(p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH gone AS (
		DELETE FROM query_history t WHERE t.id = ANY (ARRAY(SELECT s.id FROM query_history s WHERE s.expires_at < now()
			ORDER BY s.expires_at LIMIT p_limit)) RETURNING 1
	)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION query_purge(integer) IS 'Throws away questions whose time is over; gives how many';
