-- SPDX-License-Identifier: ISC
-- Functions of the room's log: append, read, edit; and of generations and idempotency keys.

-- What room_append() does with an array of one: the same rules in plain steps, which cost half as much.
CREATE FUNCTION room_append_one(p_room rooms, p_now timestamptz, p_author_kind text, p_author_id bigint, p_client_id text,
	p_content text, p_reply_to bigint, p_generation_id uuid, p_meta jsonb)
RETURNS TABLE (status text, seq bigint, created_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	v_old messages;
BEGIN
	SELECT * INTO v_old FROM messages m WHERE m.room_id = p_room.id AND m.author_kind = p_author_kind
		AND m.author_id = p_author_id AND m.client_id = p_client_id;
	IF FOUND THEN
		IF v_old.content = p_content OR v_old.edited_at IS NOT NULL OR v_old.deleted_at IS NOT NULL THEN
			RETURN QUERY SELECT 'duplicate', v_old.seq, v_old.created_at;
		ELSE
			RETURN QUERY SELECT 'conflict', NULL::bigint, NULL::timestamptz;
		END IF;
		RETURN;
	END IF;
	IF p_author_kind = 'user' THEN
		PERFORM 1 FROM members m WHERE m.room_id = p_room.id AND m.user_id = p_author_id;
		status := CASE WHEN NOT FOUND THEN 'forbidden' END;
	ELSIF p_author_kind = 'role' THEN
		PERFORM 1 FROM room_roles rr WHERE rr.room_id = p_room.id AND rr.role_id = p_author_id;
		IF NOT FOUND THEN
			PERFORM 1 FROM generations g WHERE g.id = p_generation_id AND g.room_id = p_room.id
				AND g.role_id = p_author_id AND g.state IN ('queued', 'running');
			status := CASE WHEN NOT FOUND THEN 'forbidden' END;
		END IF;
	END IF;
	status := coalesce(status, CASE WHEN p_room.archived THEN 'archived' ELSE 'ok' END);
	IF status = 'ok' THEN
		seq := p_room.last_seq + 1;
		created_at := p_now;
		INSERT INTO messages (room_id, seq, author_id, reply_to, created_at, generation_id, author_kind, client_id, content, meta)
		VALUES (p_room.id, p_room.last_seq + 1, p_author_id, CASE WHEN p_reply_to IS NOT NULL THEN (SELECT t.seq FROM messages t
			WHERE t.room_id = p_room.id AND t.seq = p_reply_to) END, p_now, p_generation_id, p_author_kind, p_client_id,
			p_content, p_meta);
		UPDATE rooms r SET last_seq = p_room.last_seq + 1, last_at = p_now WHERE r.id = p_room.id;
	END IF;
	RETURN NEXT;
END $$;
COMMENT ON FUNCTION room_append_one(rooms, timestamptz, text, bigint, text, text, bigint, uuid, jsonb) IS 'One message into a room whose row is locked; called by room_append()';

-- One array statement per room and transaction. Separate statements on purpose: the first waits for the room's row, the
-- second then sees everything that was committed before (its snapshot is taken after the wait).
CREATE FUNCTION room_append(p_room bigint, p_author_kinds text[], p_author_ids bigint[], p_client_ids text[],
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
				WHEN 'user' THEN NOT EXISTS (SELECT FROM members m WHERE m.room_id = p_room AND m.user_id = i.author_id)
				WHEN 'role' THEN NOT EXISTS (SELECT FROM room_roles rr WHERE rr.room_id = p_room AND rr.role_id = i.author_id)
					AND NOT EXISTS (SELECT FROM generations g WHERE g.id = i.generation_id AND g.room_id = p_room
						AND g.role_id = i.author_id AND g.state IN ('queued', 'running'))
				ELSE false END THEN 'forbidden'
			WHEN v_room.archived THEN 'archived'
			WHEN i.n = i.first_n THEN 'ok'
			WHEN i.content = i.first_content THEN 'duplicate'
			ELSE 'conflict' END AS verdict
		FROM input i
		LEFT JOIN messages o ON o.room_id = p_room AND o.author_kind = i.author_kind AND o.author_id = i.author_id
			AND o.client_id = i.client_id
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
COMMENT ON FUNCTION room_append(bigint, text[], bigint[], text[], text[], bigint[], uuid[], jsonb[]) IS 'Stores messages of one room; one result per input, in order: ok, duplicate (seq of the first), conflict (same client_id, other content), forbidden, archived, not_found';

CREATE FUNCTION room_head(p_room bigint, p_user bigint)
RETURNS TABLE (room_id bigint, last_seq bigint, epoch bigint, can_read boolean, is_member boolean, archived boolean)
LANGUAGE sql STABLE AS $$
	SELECT h.id, h.last_seq, h.epoch, true, h.is_member, h.archived
	FROM (SELECT r.*, EXISTS (SELECT FROM members m WHERE m.room_id = r.id AND m.user_id = p_user) AS is_member
		FROM rooms r WHERE r.id = p_room) h
	WHERE h.visibility = 'public' OR h.is_member OR p_user = 0
$$;
COMMENT ON FUNCTION room_head(bigint, bigint) IS 'Position of a room for one user (0: the daemon itself); no row when hidden or absent';

CREATE FUNCTION room_heads(p_rooms bigint[])
RETURNS TABLE (room_id bigint, last_seq bigint, epoch bigint)
LANGUAGE sql STABLE AS $$
	SELECT r.id, r.last_seq, r.epoch FROM rooms r WHERE r.id = ANY (p_rooms)
$$;
COMMENT ON FUNCTION room_heads(bigint[]) IS 'Positions of many rooms at once';

-- The name is spelled out instead of author_name(): a function with subqueries is not inlined and costs 8 us a row.
CREATE VIEW message_rows AS
	SELECT m.room_id, m.seq, m.author_kind, m.author_id,
		CASE m.author_kind WHEN 'user' THEN (SELECT u.username FROM users u WHERE u.id = m.author_id)
			WHEN 'role' THEN (SELECT x.name FROM roles x WHERE x.id = m.author_id) ELSE 'system' END AS author_name,
		m.client_id, m.content, m.reply_to, m.generation_id::text AS generation_id, m.meta::text AS meta, m.created_at,
		m.edited_at, m.deleted_at
	FROM messages m;
COMMENT ON VIEW message_rows IS 'Messages with their authors'' names, in the column order that the daemon reads';

CREATE VIEW log_rows AS
	SELECT m.*, NULL::text AS kind FROM message_rows m
	UNION ALL
	SELECT c.room_id, c.seq, c.actor_kind, c.actor_id, author_name(c.actor_kind, c.actor_id), NULL, NULL, c.target_seq, NULL,
		c.body::text, c.created_at, NULL, NULL, c.kind
	FROM room_changes c;
COMMENT ON VIEW log_rows IS 'The whole log of rooms in the column order that the daemon reads; kind NULL: a message; in changes reply_to is the target and meta the body';

CREATE FUNCTION room_log(p_room bigint, p_after bigint, p_limit integer) RETURNS SETOF log_rows
LANGUAGE sql STABLE AS $$
	(SELECT * FROM log_rows l WHERE l.room_id = p_room AND l.seq > p_after AND l.kind IS NULL ORDER BY l.seq LIMIT p_limit)
	UNION ALL
	(SELECT * FROM log_rows l WHERE l.room_id = p_room AND l.seq > p_after AND l.kind IS NOT NULL ORDER BY l.seq LIMIT p_limit)
	ORDER BY seq LIMIT p_limit
$$;
COMMENT ON FUNCTION room_log(bigint, bigint, integer) IS 'Log entries with a higher seq, oldest first; no access check';

CREATE TYPE message_result AS (
	status text,
	room_id bigint, seq bigint, author_kind text, author_id bigint, author_name text, client_id text, content text,
	reply_to bigint, generation_id text, meta text, created_at timestamptz, edited_at timestamptz, deleted_at timestamptz,
	kind text
);
COMMENT ON TYPE message_result IS 'What functions that change a message give: status and log rows: the message, then the entry written (if any)';

-- VOLATILE on purpose: it must see what the caller has just written.
CREATE FUNCTION message_done(p_status text, p_room bigint, p_seq bigint, p_change bigint) RETURNS SETOF message_result
LANGUAGE sql VOLATILE AS $$
	SELECT p_status, l.* FROM (SELECT 1) one
	LEFT JOIN log_rows l ON l.room_id = p_room AND l.seq IN (p_seq, p_change) AND p_status = 'ok'
	ORDER BY l.seq
$$;
COMMENT ON FUNCTION message_done(text, bigint, bigint, bigint) IS 'Ends a function that changed a message: builds its message_result';

CREATE FUNCTION message_edit(p_room bigint, p_seq bigint, p_user bigint, p_content text) RETURNS SETOF message_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, false, 1, false);
	v_old messages;
	v_change bigint;
BEGIN
	IF v_status = 'ok' THEN
		SELECT * INTO v_old FROM messages m WHERE m.room_id = p_room AND m.seq = p_seq;
		IF NOT FOUND OR v_old.deleted_at IS NOT NULL THEN
			v_status := 'not_found';
		ELSIF v_old.author_kind <> 'user' OR v_old.author_id <> p_user THEN
			v_status := 'forbidden';
		ELSIF v_old.content <> p_content THEN
			UPDATE messages m SET content = p_content, edited_at = clock_timestamp()
				WHERE m.room_id = p_room AND m.seq = p_seq;
			v_change := room_change_add(p_room, 'edited', p_seq, 'user', p_user, jsonb_build_object('content', p_content));
		END IF;
	END IF;
	RETURN QUERY SELECT * FROM message_done(v_status, p_room, p_seq, v_change);
END $$;
COMMENT ON FUNCTION message_edit(bigint, bigint, bigint, text) IS 'Replaces the content of one''s own message; ok, not_found, forbidden, archived';

CREATE FUNCTION message_delete(p_room bigint, p_seq bigint, p_user bigint, p_admin boolean) RETURNS SETOF message_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, 1, false);
	v_old messages;
	v_change bigint;
BEGIN
	IF v_status = 'ok' THEN
		SELECT * INTO v_old FROM messages m WHERE m.room_id = p_room AND m.seq = p_seq;
		IF NOT FOUND THEN
			v_status := 'not_found';
		ELSIF (v_old.author_kind <> 'user' OR v_old.author_id <> p_user) AND NOT p_admin
			AND level_rank((SELECT m.level FROM members m WHERE m.room_id = p_room AND m.user_id = p_user)) < 2 THEN
			v_status := 'forbidden';
		ELSIF v_old.deleted_at IS NULL THEN
			UPDATE messages m SET content = '', meta = NULL, deleted_at = clock_timestamp()
				WHERE m.room_id = p_room AND m.seq = p_seq;
			UPDATE room_changes c SET body = NULL	-- earlier edits hold the text too
				WHERE c.room_id = p_room AND c.seq > p_seq AND c.target_seq = p_seq AND c.kind = 'edited';
			v_change := room_change_add(p_room, 'deleted', p_seq, 'user', p_user, NULL);
		END IF;
	END IF;
	RETURN QUERY SELECT * FROM message_done(v_status, p_room, p_seq, v_change);
END $$;
COMMENT ON FUNCTION message_delete(bigint, bigint, bigint, boolean) IS 'Empties a message and keeps its slot; author, moderators, owners; ok, not_found, forbidden, archived';

-- Generations

CREATE FUNCTION generation_begin(p_id uuid, p_room bigint, p_role bigint, p_asker bigint, p_reply_to bigint,
	p_upstream text, p_model text, p_host text, p_boot bigint, p_slot integer, p_slot_generation bigint)
RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM room_roles rr WHERE rr.room_id = p_room AND rr.role_id = p_role) THEN
		RETURN 'not_found';
	END IF;
	FOR attempt IN 1..10 LOOP
		INSERT INTO generations (id, room_id, role_id, asker_id, reply_to_seq, state, upstream, model, host, boot, slot,
			slot_generation, started_at)
		VALUES (p_id, p_room, p_role, p_asker, p_reply_to, 'running', p_upstream, p_model, p_host, p_boot, p_slot,
			p_slot_generation, clock_timestamp())
		ON CONFLICT DO NOTHING;
		IF FOUND THEN
			RETURN 'ok';
		END IF;
		UPDATE generations g SET follow_up_seq = p_reply_to, follow_up_asker = p_asker
		WHERE g.room_id = p_room AND g.role_id = p_role AND g.state IN ('queued', 'running')
			AND coalesce(g.follow_up_seq, 0) <= p_reply_to;
		IF FOUND OR EXISTS (SELECT FROM generations g WHERE g.room_id = p_room AND g.role_id = p_role
			AND g.state IN ('queued', 'running')) THEN
			RETURN 'busy';
		END IF;	-- it ended in between: the place is free now
	END LOOP;
	RETURN 'busy';
END $$;
COMMENT ON FUNCTION generation_begin(uuid, bigint, bigint, bigint, bigint, text, text, text, bigint, integer, bigint) IS 'Takes the place of (room, role): ok, busy (noted as follow-up of the running one), not_found (role not attached)';

-- Idempotency keys

CREATE FUNCTION purge(p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH k AS (
		DELETE FROM idempotency_keys t WHERE t.ctid = ANY (ARRAY(SELECT s.ctid FROM idempotency_keys s
			WHERE s.created_at < clock_timestamp() - interval '24 hours' ORDER BY s.created_at LIMIT p_limit)) RETURNING 1
	), l AS (
		DELETE FROM login_sessions t WHERE t.id = ANY (ARRAY(SELECT s.id FROM login_sessions s
			WHERE s.expires_at < clock_timestamp() - interval '30 days'
				OR s.ended_at < clock_timestamp() - interval '30 days' LIMIT p_limit)) RETURNING 1
	), h AS (
		DELETE FROM limit_hits t WHERE t.id = ANY (ARRAY(SELECT s.id FROM limit_hits s
			WHERE s.last_at < clock_timestamp() - interval '30 days' ORDER BY s.last_at LIMIT p_limit)) RETURNING 1
	)
	SELECT (SELECT count(*) FROM k) + (SELECT count(*) FROM l) + (SELECT count(*) FROM h)
$$;
COMMENT ON FUNCTION purge(integer) IS 'Throws away old idempotency keys (24 h), login sessions and limit hits (30 days); gives how many';
