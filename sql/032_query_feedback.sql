-- SPDX-License-Identifier: ISC
-- Votes on answers to questions. Their scale is their own: 1 to 5, as the front ends that ask have it.

ALTER TABLE feedback DROP CONSTRAINT feedback_target_kind_check, DROP CONSTRAINT feedback_score_check,
	ADD CONSTRAINT feedback_target_kind_check CHECK (target_kind IN ('message', 'generation', 'session', 'query')),
	ADD CONSTRAINT feedback_score_check CHECK (CASE target_kind WHEN 'query' THEN score BETWEEN 1 AND 5
		ELSE score BETWEEN -1 AND 1 END);
COMMENT ON COLUMN feedback.target_kind IS 'What was judged: message, generation (an answer of a model), session, or query (an answer of POST /api/query)';
COMMENT ON COLUMN feedback.target_id IS 'Its id: room.seq of a message, UUID of a generation, session or query';
COMMENT ON COLUMN feedback.score IS 'From -1 (bad) to 1 (good); of a query from 1 to 5';
COMMENT ON COLUMN feedback.judged IS 'Session or generation whose figures the vote counts for; NULL: a query, or a message that no model wrote';

CREATE OR REPLACE FUNCTION feedback_target(p_user bigint, p_access text, p_kind text, p_target text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_room bigint;
	v_seq bigint;
	v_uuid uuid;
BEGIN
	IF p_kind = 'message' THEN
		IF p_target !~ '^[1-9][0-9]{0,17}\.[1-9][0-9]{0,17}$' THEN
			RETURN NULL;
		END IF;
		v_room := split_part(p_target, '.', 1)::bigint;
		v_seq := split_part(p_target, '.', 2)::bigint;
		RETURN (SELECT p_target FROM room_head(v_room, p_user) h
			JOIN messages m ON m.room_id = h.room_id AND m.seq = v_seq AND m.deleted_at IS NULL);
	END IF;
	IF p_target ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
		v_uuid := p_target::uuid;
	END IF;
	IF p_kind = 'query' THEN	-- also one that was not understood
		RETURN (SELECT h.id::text FROM query_history h WHERE h.id = v_uuid AND h.user_id = p_user);
	END IF;
	IF p_kind = 'generation' THEN
		RETURN (SELECT g.id::text FROM generations g, room_head(g.room_id, p_user) h WHERE g.id = v_uuid);
	END IF;
	RETURN (SELECT s.id::text FROM sessions s WHERE (s.id = v_uuid OR s.external_id = p_target)
		AND (s.user_id = p_user OR p_access = 'admin'
			OR (s.kind = 'usage' AND s.user_id IS NULL AND p_access IN ('analyst', 'operator')))
		ORDER BY s.id = v_uuid DESC NULLS LAST LIMIT 1);
END $$;

CREATE OR REPLACE FUNCTION feedback_judges(p_kind text, p_target text) RETURNS uuid
LANGUAGE sql STABLE AS $$
	SELECT CASE p_kind WHEN 'query' THEN NULL WHEN 'message' THEN (SELECT m.generation_id FROM messages m
		WHERE m.room_id = split_part(p_target, '.', 1)::bigint AND m.seq = split_part(p_target, '.', 2)::bigint)
		ELSE p_target::uuid END
$$;
