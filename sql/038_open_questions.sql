-- SPDX-License-Identifier: ISC
-- Questions without a token: figures that leave out private rooms.

-- One row per thing that a question can count or add up. p_scope: rows of this account only; 0: what everybody may see; NULL:
-- all rows. What happened in a room that is gone counts as private.
CREATE OR REPLACE FUNCTION query_facts(p_metric text, p_from timestamptz, p_to timestamptz, p_scope bigint)
RETURNS TABLE (at timestamptz, value bigint, user_name text, room_id bigint, room_name text, model text, role_name text)
LANGUAGE sql STABLE AS $$
	SELECT m.created_at, 1::bigint, u.username, r.id, r.name, NULL::text, NULL::text
	FROM rooms r JOIN messages m ON m.room_id = r.id AND m.author_kind = 'user' JOIN users u ON u.id = m.author_id
	WHERE p_metric IN ('messages', 'users', 'rooms') AND m.created_at >= p_from AND m.created_at < p_to
		AND m.deleted_at IS NULL AND (p_scope IS NULL OR m.author_id = p_scope OR (p_scope = 0 AND r.visibility = 'public'))
	UNION ALL
	SELECT s.started_at, CASE p_metric WHEN 'tokens' THEN s.total_tokens WHEN 'cost' THEN s.cost_micros ELSE 1 END,
		coalesce(s.developer, u.username), NULL, NULL, s.model, NULL
	FROM sessions s LEFT JOIN users u ON u.id = s.user_id
	WHERE p_metric IN ('sessions', 'tokens', 'cost', 'users') AND s.started_at >= p_from AND s.started_at < p_to
		AND (p_scope IS NULL OR p_scope = 0 OR s.user_id = p_scope)
	UNION ALL
	SELECT g.at, CASE p_metric WHEN 'tokens' THEN g.prompt_tokens + g.completion_tokens
			WHEN 'cost' THEN coalesce(g.cost_micros, 0) ELSE 1 END,
		u.username, g.room_id, r.name, g.model, x.name
	FROM usage g LEFT JOIN users u ON u.id = g.user_id LEFT JOIN rooms r ON r.id = g.room_id LEFT JOIN roles x ON x.id = g.role_id
	WHERE p_metric IN ('tokens', 'cost', 'users') AND g.at >= p_from AND g.at < p_to
		AND (p_scope IS NULL OR g.user_id = p_scope OR (p_scope = 0 AND r.visibility = 'public'))
	UNION ALL
	SELECT f.updated_at, 1, u.username, NULL, NULL, NULL, NULL FROM feedback f JOIN users u ON u.id = f.user_id
	WHERE p_metric = 'feedback' AND f.updated_at >= p_from AND f.updated_at < p_to AND (p_scope IS NULL OR f.user_id = p_scope
		OR (p_scope = 0 AND CASE f.target_kind
			WHEN 'message' THEN EXISTS (SELECT FROM rooms r WHERE r.visibility = 'public'
				AND r.id = split_part(f.target_id, '.', 1)::bigint)
			WHEN 'generation' THEN EXISTS (SELECT FROM usage g JOIN rooms r ON r.id = g.room_id WHERE r.visibility = 'public'
				AND g.generation_id = f.target_id::uuid)
			ELSE true END))
$$;
COMMENT ON FUNCTION query_facts(text, timestamptz, timestamptz, bigint) IS 'What questions are answered from, one row per message, session, answer or vote; messages are those of people; value: 1, tokens, or millionths of a US dollar; p_scope 0: without private rooms';
