-- SPDX-License-Identifier: ISC
-- Suggestions whose answers have rows: the days of a question begin at midnight, not at this time of the day some days ago.

CREATE OR REPLACE FUNCTION query_suggest(p_user bigint)
RETURNS TABLE (text text, reason text)
LANGUAGE sql STABLE AS $$
	(SELECT h.query, 'You asked this ' || count(*) || CASE WHEN count(*) = 1 THEN ' time.' ELSE ' times.' END
	FROM query_history h WHERE h.user_id = p_user AND h.understood AND h.expires_at > now()
		AND h.intent ->> 'translated' IS NULL		-- asked again, it costs again
	GROUP BY h.query HAVING (array_agg(h.rows ORDER BY h.created_at DESC))[1] > 0
	ORDER BY count(*) DESC, max(h.created_at) DESC LIMIT 3)
	UNION ALL
	(SELECT 'My messages in room "' || r.name || '" per day, last 7 days', 'You wrote ' || k.n || CASE WHEN k.n = 1 THEN ' message' ELSE ' messages' END
		|| ' there in the last 6 days.'
	FROM members b JOIN rooms r ON r.id = b.room_id, LATERAL (SELECT count(*) AS n FROM messages m WHERE m.room_id = r.id
		AND m.author_kind = 'user' AND m.author_id = p_user AND m.created_at > now() - interval '6 days' AND m.deleted_at IS NULL) k
	WHERE b.user_id = p_user AND k.n > 0 AND strpos(r.name, '"') = 0 ORDER BY k.n DESC, r.id LIMIT 2)
	UNION ALL
	(SELECT 'My tokens per model, last 30 days', 'You used ' || count(DISTINCT g.model) || ' model' ||
		CASE WHEN count(DISTINCT g.model) = 1 THEN '' ELSE 's' END || ' in the last 29 days.'
	FROM usage g WHERE g.user_id = p_user AND g.at > now() - interval '29 days' AND g.prompt_tokens + g.completion_tokens > 0
	HAVING count(DISTINCT g.model) > 0)
	UNION ALL
	(SELECT 'My sessions per day, last 30 days', 'You had ' || count(*) || CASE WHEN count(*) = 1 THEN ' session' ELSE ' sessions' END || ' in the last 29 days.'
	FROM sessions s WHERE s.user_id = p_user AND s.started_at > now() - interval '29 days' HAVING count(*) > 0)
$$;
COMMENT ON FUNCTION query_suggest(bigint) IS 'Questions that a user may want to ask, from what they asked before and from their own data, with the reason; those whose last answer had no rows, and those that a model translated, are left out';
