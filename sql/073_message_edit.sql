-- SPDX-License-Identifier: ISC
-- Edited and deleted messages: earlier texts stay readable after an edit, and go with a deletion. Authors may edit and delete
-- within a time that the caller gives.

CREATE TABLE message_versions (
	room_id    bigint NOT NULL,
	seq        bigint NOT NULL,
	version    integer NOT NULL CHECK (version > 0),
	content    text NOT NULL,
	written_at timestamptz NOT NULL,
	PRIMARY KEY (room_id, seq, version)
);
COMMENT ON TABLE message_versions IS 'Earlier texts of edited messages; the current text is in messages. Without a foreign key, which would cost a query for each message of a room that is deleted: room_delete() removes them';
COMMENT ON COLUMN message_versions.room_id IS 'Room';
COMMENT ON COLUMN message_versions.seq IS 'seq of the message';
COMMENT ON COLUMN message_versions.version IS '1: the text that was sent; 2: the text after the first edit; and so on';
COMMENT ON COLUMN message_versions.content IS 'The text';
COMMENT ON COLUMN message_versions.written_at IS 'When this text was stored';

CREATE INDEX room_changes_edited ON room_changes (room_id, target_seq) WHERE kind = 'edited';

DROP FUNCTION message_edit(bigint, bigint, bigint, text);
CREATE FUNCTION message_edit(p_room bigint, p_seq bigint, p_user bigint, p_content text, p_window_ms bigint DEFAULT 0)
RETURNS SETOF message_result
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
			v_status := 'not_author';
		ELSIF v_old.content <> p_content THEN
			IF p_window_ms > 0 AND v_old.created_at < clock_timestamp() - p_window_ms * interval '1 millisecond' THEN
				v_status := 'edit_late';
			ELSE
				INSERT INTO message_versions (room_id, seq, version, content, written_at)
				SELECT p_room, p_seq, coalesce(max(v.version), 0) + 1, v_old.content, coalesce(v_old.edited_at, v_old.created_at)
				FROM message_versions v WHERE v.room_id = p_room AND v.seq = p_seq;
				UPDATE messages m SET content = p_content, edited_at = clock_timestamp()
					WHERE m.room_id = p_room AND m.seq = p_seq;
				v_change := room_change_add(p_room, 'edited', p_seq, 'user', p_user, jsonb_build_object('content', p_content));
			END IF;
		END IF;
	END IF;
	RETURN QUERY SELECT * FROM message_done(v_status, p_room, p_seq, v_change);
END $$;
COMMENT ON FUNCTION message_edit(bigint, bigint, bigint, text, bigint) IS 'Replaces the content of one''s own message and keeps the earlier text; p_window_ms: time for this after sending, 0 for no limit; ok, not_found, not_author, edit_late, forbidden, archived';

DROP FUNCTION message_delete(bigint, bigint, bigint, boolean);
CREATE FUNCTION message_delete(p_room bigint, p_seq bigint, p_user bigint, p_admin boolean, p_window_ms bigint DEFAULT 0)
RETURNS SETOF message_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, 1, false);
	v_old messages;
	v_moderates boolean;
	v_change bigint;
BEGIN
	IF v_status = 'ok' THEN
		v_moderates := p_admin OR
			level_rank((SELECT m.level FROM members m WHERE m.room_id = p_room AND m.user_id = p_user)) >= 2;
		SELECT * INTO v_old FROM messages m WHERE m.room_id = p_room AND m.seq = p_seq;
		IF NOT FOUND THEN
			v_status := 'not_found';
		ELSIF NOT v_moderates AND (v_old.author_kind <> 'user' OR v_old.author_id <> p_user) THEN
			v_status := 'not_moderator';
		ELSIF v_old.deleted_at IS NULL THEN
			IF NOT v_moderates AND p_window_ms > 0
				AND v_old.created_at < clock_timestamp() - p_window_ms * interval '1 millisecond' THEN
				v_status := 'delete_late';
			ELSE
				v_change := message_erase(v_old, p_user);
			END IF;
		END IF;
	END IF;
	RETURN QUERY SELECT * FROM message_done(v_status, p_room, p_seq, v_change);
END $$;
COMMENT ON FUNCTION message_delete(bigint, bigint, bigint, boolean, bigint) IS 'Erases a message and keeps its slot; p_window_ms: time for authors after sending, 0 for no limit; ok (also again), not_found, not_moderator, delete_late, forbidden, archived';

-- Every copy of the text: earlier texts, entries of edits in the log, and the partial answer. Replies to messages are not kept
-- under Idempotency-Key.
CREATE FUNCTION message_erase(p_message messages, p_user bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE messages m SET content = '', meta = NULL, reasoning = NULL, deleted_at = clock_timestamp()
		WHERE m.room_id = p_message.room_id AND m.seq = p_message.seq;
	DELETE FROM message_versions v WHERE v.room_id = p_message.room_id AND v.seq = p_message.seq;
	UPDATE room_changes c SET body = NULL
		WHERE c.room_id = p_message.room_id AND c.target_seq = p_message.seq AND c.kind = 'edited';
	UPDATE generations g SET partial = NULL WHERE g.id = p_message.generation_id AND g.partial IS NOT NULL;
	IF p_message.author_kind <> 'user' OR p_message.author_id <> p_user THEN
		PERFORM audit_add('message deleted', format('room:%s', p_message.room_id), NULL,
			jsonb_build_object('seq', p_message.seq, 'author_kind', p_message.author_kind, 'author_id', p_message.author_id));
	END IF;
	RETURN room_change_add(p_message.room_id, 'deleted', p_message.seq, 'user', p_user, NULL);
END $$;
COMMENT ON FUNCTION message_erase(messages, bigint) IS 'Removes all copies of the text of a message whose room is locked, and records who did it; returns the seq of the entry in the log';

CREATE OR REPLACE FUNCTION room_delete(p_room bigint, p_user bigint, p_admin boolean) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, 3, true);
BEGIN
	IF v_status = 'ok' THEN
		DELETE FROM messages m WHERE m.room_id = p_room;
		DELETE FROM message_versions v WHERE v.room_id = p_room;
		DELETE FROM room_changes c WHERE c.room_id = p_room;
		DELETE FROM rooms r WHERE r.id = p_room;
	END IF;
	RETURN v_status;
END $$;
