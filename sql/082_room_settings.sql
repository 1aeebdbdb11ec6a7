-- SPDX-License-Identifier: ISC
-- Rooms get a topic, a description, and a slow mode; all their settings can be changed after they were created.

ALTER TABLE rooms ADD COLUMN slow_mode_seconds integer NOT NULL DEFAULT 0 CHECK (slow_mode_seconds BETWEEN 0 AND 86400);
COMMENT ON COLUMN rooms.slow_mode_seconds IS 'Least time between two messages of a member below moderator, in seconds; 0: no slow mode';
ALTER TABLE members ADD COLUMN said_at timestamptz;
COMMENT ON COLUMN members.said_at IS 'When the member last sent a message while the room was in slow mode; NULL: never';

-- Not in rooms: each message writes that row again.
CREATE TABLE room_texts (
	room_id     bigint PRIMARY KEY REFERENCES rooms ON DELETE CASCADE,
	topic       text CHECK (length(topic) BETWEEN 1 AND 250),
	description text CHECK (length(description) BETWEEN 1 AND 4000)
);
COMMENT ON TABLE room_texts IS 'Longer texts about rooms; no row: none';
COMMENT ON COLUMN room_texts.room_id IS 'Room';
COMMENT ON COLUMN room_texts.topic IS 'What the room talks about at present, one line; NULL: none';
COMMENT ON COLUMN room_texts.description IS 'What the room is for, several lines; NULL: none';
CREATE TRIGGER label_form BEFORE INSERT OR UPDATE OF topic ON room_texts FOR EACH ROW EXECUTE FUNCTION label_form('topic');

ALTER TYPE room_result
	DROP ATTRIBUTE change_seq, DROP ATTRIBUTE change_kind, DROP ATTRIBUTE change_target, DROP ATTRIBUTE change_actor_kind,
	DROP ATTRIBUTE change_actor, DROP ATTRIBUTE change_actor_name, DROP ATTRIBUTE change_body, DROP ATTRIBUTE change_at,
	ADD ATTRIBUTE topic text, ADD ATTRIBUTE description text, ADD ATTRIBUTE slow_mode_seconds integer,
	ADD ATTRIBUTE change_seq bigint, ADD ATTRIBUTE change_kind text, ADD ATTRIBUTE change_target bigint,
	ADD ATTRIBUTE change_actor_kind text, ADD ATTRIBUTE change_actor bigint, ADD ATTRIBUTE change_actor_name text,
	ADD ATTRIBUTE change_body text, ADD ATTRIBUTE change_at timestamptz;

DROP FUNCTION room_view(bigint, bigint);
-- role_names: a line for the name, a second one for the name as it was given where that differs.
CREATE FUNCTION room_view(p_room bigint, p_user bigint)
RETURNS TABLE (id bigint, name text, owner_id bigint, visibility text, reply_policy text, level text, last_seq bigint,
	last_at timestamptz, epoch bigint, created_at timestamptz, member_count bigint, archived boolean, role_ids bigint[],
	role_names text[], topic text, description text, slow_mode_seconds integer)
LANGUAGE sql STABLE AS $$
	SELECT r.id, r.name, r.owner_id, r.visibility, r.reply_policy,
		(SELECT m.level FROM members m WHERE m.room_id = r.id AND m.user_id = p_user), r.last_seq, r.last_at, r.epoch,
		r.created_at, (SELECT count(*) FROM members m WHERE m.room_id = r.id), r.archived,
		ARRAY(SELECT rr.role_id FROM room_roles rr WHERE rr.room_id = r.id ORDER BY 1),
		ARRAY(SELECT concat_ws(E'\n', o.name, o.display_name) FROM room_roles rr JOIN roles o ON o.id = rr.role_id
			WHERE rr.room_id = r.id ORDER BY rr.role_id), t.topic, t.description, r.slow_mode_seconds
	FROM rooms r LEFT JOIN room_texts t ON t.room_id = r.id WHERE r.id = p_room
$$;
COMMENT ON FUNCTION room_view(bigint, bigint) IS 'A room as one user sees it; no access check';

-- VOLATILE on purpose: it must see what the caller has just written.
CREATE FUNCTION room_settings(p_room bigint) RETURNS jsonb
LANGUAGE sql VOLATILE AS $$
	SELECT jsonb_build_object('name', r.name, 'topic', coalesce(t.topic, ''), 'description', coalesce(t.description, ''),
		'visibility', r.visibility, 'reply_policy', r.reply_policy, 'slow_mode_seconds', r.slow_mode_seconds, 'archived', r.archived)
	FROM rooms r LEFT JOIN room_texts t ON t.room_id = r.id WHERE r.id = p_room
$$;
COMMENT ON FUNCTION room_settings(bigint) IS 'What room_patch() can change, in the form of room_changed entries of the log';

DROP FUNCTION room_patch(bigint, bigint, boolean, text, text, boolean, text, boolean);
CREATE FUNCTION room_patch(p_room bigint, p_user bigint, p_admin boolean, p_name text, p_topic text, p_description text,
	p_visibility text, p_policy text, p_slow integer, p_archived boolean)
RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, CASE WHEN num_nonnulls(p_visibility, p_archived) > 0 THEN 3 ELSE 2 END,
		p_archived IS FALSE OR num_nonnulls(p_name, p_topic, p_description, p_visibility, p_policy, p_slow) = 0);
	v_old jsonb := room_settings(p_room);
	v_new jsonb;
	v_texts text[];
BEGIN
	IF v_status <> 'ok' THEN
		RETURN QUERY SELECT * FROM room_done(v_status, NULL, NULL, NULL);
		RETURN;
	END IF;
	UPDATE rooms r SET name = coalesce(p_name, r.name), visibility = coalesce(p_visibility, r.visibility),
		reply_policy = coalesce(p_policy, r.reply_policy), slow_mode_seconds = coalesce(p_slow, r.slow_mode_seconds),
		archived = coalesce(p_archived, r.archived) WHERE r.id = p_room;
	IF num_nonnulls(p_topic, p_description) > 0 THEN
		INSERT INTO room_texts AS t (room_id, topic, description) VALUES (p_room, nullif(p_topic, ''), nullif(p_description, ''))
		ON CONFLICT (room_id) DO UPDATE SET topic = CASE WHEN p_topic IS NULL THEN t.topic ELSE excluded.topic END,
			description = CASE WHEN p_description IS NULL THEN t.description ELSE excluded.description END;
	END IF;
	SELECT jsonb_object_agg(n.key, n.value) INTO v_new FROM jsonb_each(room_settings(p_room)) n WHERE n.value <> v_old -> n.key;
	IF v_new IS NULL THEN
		RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, NULL);
		RETURN;
	END IF;
	SELECT array_agg(k ORDER BY k) INTO v_texts FROM jsonb_object_keys(v_new) k WHERE k IN ('name', 'topic', 'description');
	PERFORM audit_add('room changed', 'room:' || p_room, (SELECT jsonb_object_agg(o.key, o.value) FROM jsonb_each(v_old) o
			WHERE v_new ? o.key AND NOT o.key = ANY (coalesce(v_texts, '{}'))),
		v_new - coalesce(v_texts, '{}') || CASE WHEN v_texts IS NULL THEN '{}' ELSE jsonb_build_object('texts', v_texts) END);
	RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, room_change_add(p_room, 'room_changed', NULL, 'user', p_user, v_new));
END $$;
COMMENT ON FUNCTION room_patch(bigint, bigint, boolean, text, text, text, text, text, integer, boolean) IS 'Changes a room (NULL: unchanged; empty topic or description: none); visibility and archived: owners, the rest: moderators; ok, not_found, forbidden, archived (an archived room can only be unarchived)';

-- In slow mode, each message is decided after the one before it was stored. Other rooms do not pay for it.
CREATE FUNCTION room_append_slow(p_room bigint, p_author_kinds text[], p_author_ids bigint[], p_client_ids text[],
	p_contents text[], p_reply_tos bigint[], p_generation_ids uuid[], p_metas jsonb[])
RETURNS TABLE (idx bigint, status text, seq bigint, created_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	v_room rooms;
	v_now timestamptz;
	v_free timestamptz;
BEGIN
	FOR i IN 1 .. cardinality(p_author_ids) LOOP
		SELECT * INTO v_room FROM rooms r WHERE r.id = p_room;
		v_now := greatest(clock_timestamp(), v_room.last_at);
		v_free := NULL;
		IF p_author_kinds[i] = 'user' AND NOT v_room.archived AND NOT EXISTS (SELECT FROM messages m WHERE m.room_id = p_room
			AND m.author_kind = 'user' AND m.author_id = p_author_ids[i] AND m.client_id = p_client_ids[i]) THEN
			SELECT m.said_at + v_room.slow_mode_seconds * interval '1 s' INTO v_free
			FROM members m WHERE m.room_id = p_room AND m.user_id = p_author_ids[i] AND m.level = 'member';
		END IF;
		idx := i;
		IF v_free > v_now THEN
			status := 'slow_mode';
			seq := v_room.slow_mode_seconds;
			created_at := v_free;
		ELSE
			SELECT o.status, o.seq, o.created_at INTO status, seq, created_at FROM room_append_one(v_room, v_now,
				p_author_kinds[i], p_author_ids[i], p_client_ids[i], p_contents[i], p_reply_tos[i], p_generation_ids[i], p_metas[i]) o;
			IF status = 'ok' AND p_author_kinds[i] = 'user' THEN
				UPDATE members m SET said_at = v_now WHERE m.room_id = p_room AND m.user_id = p_author_ids[i] AND m.level = 'member';
			END IF;
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION room_append_slow(bigint, text[], bigint[], text[], text[], bigint[], uuid[], jsonb[]) IS 'room_append() for a locked room in slow mode; status slow_mode: seq is the interval in seconds, and created_at when the author may send again';

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
	IF v_room.slow_mode_seconds > 0 THEN
		RETURN QUERY SELECT * FROM room_append_slow(p_room, p_author_kinds, p_author_ids, p_client_ids, p_contents, p_reply_tos,
			p_generation_ids, p_metas);
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
COMMENT ON FUNCTION room_append(bigint, text[], bigint[], text[], text[], bigint[], uuid[], jsonb[]) IS 'Stores messages of one room; one result per input, in order: ok, duplicate (seq of the first), conflict (same client_id, other content), forbidden, archived, not_found, slow_mode (see room_append_slow())';
