-- SPDX-License-Identifier: ISC
-- The plan of room_append() is made once per connection. Made while a room was small, it read all messages of the room at
-- every append, and went on so while the room grew. LIMIT 1 and the scalar subquery leave only one plan: by the index.

CREATE OR REPLACE FUNCTION room_append(p_room bigint, p_author_kinds text[], p_author_ids bigint[], p_client_ids text[],
	p_contents text[], p_reply_tos bigint[], p_generation_ids uuid[], p_metas jsonb[])
RETURNS TABLE (idx bigint, status text, seq bigint, created_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	v_room rooms;
	v_now timestamptz;
BEGIN
	SELECT * INTO v_room FROM rooms r WHERE r.id = p_room FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN QUERY SELECT i, 'not_found', NULL::bigint, NULL::timestamptz
			FROM generate_series(1, cardinality(p_author_ids)::bigint) i;
		RETURN;
	END IF;
	v_now := greatest(clock_timestamp(), v_room.last_at);
	IF cardinality(p_author_ids) = 1 THEN
		RETURN QUERY SELECT 1::bigint, o.* FROM room_append_one(v_room, v_now, p_author_kinds[1], p_author_ids[1],
			p_client_ids[1], p_contents[1], p_reply_tos[1], p_generation_ids[1], p_metas[1]) o;
		RETURN;
	END IF;
	RETURN QUERY
	WITH input AS (
		SELECT i.*, first_value(i.n) OVER same AS first_n, first_value(i.content) OVER same AS first_content
		FROM unnest(p_author_kinds, p_author_ids, p_client_ids, p_contents, p_reply_tos, p_generation_ids, p_metas)
			WITH ORDINALITY AS i (author_kind, author_id, client_id, content, reply_to, generation_id, meta, n)
		WINDOW same AS (PARTITION BY i.author_kind, i.author_id, i.client_id ORDER BY i.n)
	), judged AS (
		SELECT i.*, o.seq AS old_seq, o.created_at AS old_at,
			CASE
			WHEN o.seq IS NOT NULL AND (o.content = i.content OR o.edited_at IS NOT NULL OR o.deleted_at IS NOT NULL) THEN 'duplicate'
			WHEN o.seq IS NOT NULL THEN 'conflict'
			WHEN CASE i.author_kind
				WHEN 'user' THEN (SELECT m.user_id FROM members m WHERE m.room_id = p_room AND m.user_id = i.author_id) IS NULL
				WHEN 'role' THEN NOT EXISTS (SELECT FROM room_roles rr WHERE rr.room_id = p_room AND rr.role_id = i.author_id)
					AND NOT EXISTS (SELECT FROM generations g WHERE g.id = i.generation_id AND g.room_id = p_room
						AND g.role_id = i.author_id AND g.state IN ('queued', 'running'))
				ELSE false END THEN 'forbidden'
			WHEN v_room.archived THEN 'archived'
			WHEN i.n = i.first_n THEN 'ok'
			WHEN i.content = i.first_content THEN 'duplicate'
			ELSE 'conflict' END AS verdict
		FROM input i
		LEFT JOIN LATERAL (SELECT m.seq, m.created_at, m.content, m.edited_at, m.deleted_at FROM messages m
			WHERE m.room_id = p_room AND m.author_kind = i.author_kind AND m.author_id = i.author_id
				AND m.client_id = i.client_id LIMIT 1) o ON true
	), numbered AS MATERIALIZED (
		SELECT j.*, v_room.last_seq + count(*) FILTER (WHERE j.verdict = 'ok') OVER (ORDER BY j.n) AS new_seq
		FROM judged j
	), stored AS (
		INSERT INTO messages (room_id, seq, author_id, reply_to, created_at, generation_id, author_kind, client_id, content, meta)
		SELECT p_room, s.new_seq, s.author_id,
			CASE WHEN s.reply_to IS NOT NULL THEN (SELECT t.seq FROM messages t WHERE t.room_id = p_room AND t.seq = s.reply_to) END,
			v_now, s.generation_id, s.author_kind, s.client_id, s.content, s.meta
		FROM numbered s WHERE s.verdict = 'ok'
		RETURNING messages.seq
	), moved AS (
		UPDATE rooms r SET last_seq = v_room.last_seq + k.n, last_at = v_now
		FROM (SELECT count(*) AS n FROM stored) k WHERE r.id = p_room AND k.n > 0
	)
	SELECT s.n, s.verdict,
		CASE WHEN s.verdict = 'ok' THEN s.new_seq
			WHEN s.verdict = 'duplicate' THEN coalesce(s.old_seq, f.new_seq) END,
		CASE WHEN s.verdict = 'ok' THEN v_now WHEN s.verdict = 'duplicate' THEN coalesce(s.old_at, v_now) END
	FROM numbered s LEFT JOIN numbered f ON f.n = s.first_n AND s.verdict = 'duplicate' AND s.old_seq IS NULL
	ORDER BY s.n;
END $$;
