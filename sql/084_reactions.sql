-- SPDX-License-Identifier: ISC
-- Reactions to messages, and pinned messages. messages.meta has what pages show of them, so that a page costs no more
-- queries; it is written by the transaction that changes the rows, and a deletion of the message removes both.

ALTER TABLE room_changes DROP CONSTRAINT room_changes_kind_check;
ALTER TABLE room_changes ADD CONSTRAINT room_changes_kind_check CHECK (kind IN ('joined', 'left', 'member_level', 'role_attached',
	'role_detached', 'room_changed', 'edited', 'deleted', 'reaction_added', 'reaction_removed', 'pinned', 'unpinned'));
COMMENT ON COLUMN room_changes.kind IS 'joined, left, member_level, role_attached, role_detached, room_changed, edited, deleted, reaction_added, reaction_removed, pinned, unpinned';
COMMENT ON COLUMN room_changes.body IS 'What changed: {user_id, username, level} for members, {role_id, name} for roles, the new fields for room_changed, {content} for edited, {emoji, count} for reactions';
COMMENT ON COLUMN messages.meta IS 'Model, token counts and the like; reactions and pinned; NULL: none';

CREATE TABLE reactions (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	room_id    bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq        bigint NOT NULL,
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	emoji      text NOT NULL CHECK (octet_length(emoji) BETWEEN 1 AND 64),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	UNIQUE (room_id, seq, user_id, emoji)
);
CREATE INDEX reactions_user ON reactions (user_id);
COMMENT ON TABLE reactions IS 'Who reacted to which message with which emoji';
COMMENT ON COLUMN reactions.id IS 'Number of the reaction, ascending in the order in which they were added to a message';
COMMENT ON COLUMN reactions.room_id IS 'Room';
COMMENT ON COLUMN reactions.seq IS 'seq of the message';
COMMENT ON COLUMN reactions.user_id IS 'User who reacted';
COMMENT ON COLUMN reactions.emoji IS 'Emoji in the form of pl_emoji()';
COMMENT ON COLUMN reactions.created_at IS 'When it was added';

CREATE TABLE pins (
	room_id   bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq       bigint NOT NULL,
	user_id   bigint NOT NULL,
	pinned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (room_id, seq)
);
COMMENT ON TABLE pins IS 'Pinned messages';
COMMENT ON COLUMN pins.room_id IS 'Room';
COMMENT ON COLUMN pins.seq IS 'seq of the message';
COMMENT ON COLUMN pins.user_id IS 'User who pinned it';
COMMENT ON COLUMN pins.pinned_at IS 'When it was pinned';

-- The caller holds the lock of the room.
CREATE FUNCTION message_mark(p_room bigint, p_seq bigint, p_key text, p_value jsonb) RETURNS void
LANGUAGE sql AS $$
	UPDATE messages m SET meta = CASE WHEN p_value IS NULL THEN nullif(m.meta - p_key, '{}')
		ELSE coalesce(m.meta, '{}') || jsonb_build_object(p_key, p_value) END
	WHERE m.room_id = p_room AND m.seq = p_seq AND m.deleted_at IS NULL AND (p_value IS NOT NULL OR m.meta ? p_key)
$$;
COMMENT ON FUNCTION message_mark(bigint, bigint, text, jsonb) IS 'Sets or removes (NULL) a member of the meta of a message that is not deleted';

CREATE FUNCTION reactions_of(p_room bigint, p_seq bigint) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_agg(jsonb_build_object('emoji', e.emoji, 'count', e.count, 'user_ids', to_jsonb(e.users)) ORDER BY e.first)
	FROM (SELECT r.emoji, count(*) AS count, min(r.id) AS first, (array_agg(r.user_id ORDER BY r.id))[1:50] AS users
		FROM reactions r WHERE r.room_id = p_room AND r.seq = p_seq GROUP BY r.emoji) e
$$;
COMMENT ON FUNCTION reactions_of(bigint, bigint) IS 'Reactions to a message as pages show them, in the order in which the emojis were first used; NULL: none';

-- Also for rows that go with an account.
CREATE FUNCTION reactions_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM 1 FROM rooms r WHERE r.id IN (SELECT c.room_id FROM changed c) ORDER BY r.id FOR NO KEY UPDATE;
	PERFORM message_mark(c.room_id, c.seq, 'reactions', reactions_of(c.room_id, c.seq))
		FROM (SELECT DISTINCT d.room_id, d.seq FROM changed d ORDER BY 1, 2) c;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION reactions_changed() IS 'Writes changed reactions into the meta of their messages';
CREATE TRIGGER reactions_added AFTER INSERT ON reactions REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION reactions_changed();
CREATE TRIGGER reactions_removed AFTER DELETE ON reactions REFERENCING OLD TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION reactions_changed();

-- Whichever function erases the message.
CREATE FUNCTION message_erased() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	DELETE FROM reactions r WHERE r.room_id = NEW.room_id AND r.seq = NEW.seq;
	DELETE FROM pins p WHERE p.room_id = NEW.room_id AND p.seq = NEW.seq;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION message_erased() IS 'Removes the reactions to a deleted message, and its pin';
CREATE TRIGGER message_erased AFTER UPDATE OF deleted_at ON messages FOR EACH ROW
	WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION message_erased();

CREATE FUNCTION message_react(p_room bigint, p_seq bigint, p_user bigint, p_emoji text, p_on boolean, p_most integer)
RETURNS SETOF message_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, false, 1, false);
	v_change bigint;
	v_kind text;
BEGIN
	IF v_status = 'ok' THEN
		PERFORM 1 FROM messages m WHERE m.room_id = p_room AND m.seq = p_seq AND m.deleted_at IS NULL;
		IF NOT FOUND THEN
			v_status := 'not_found';
		ELSIF NOT p_on THEN
			DELETE FROM reactions r WHERE r.room_id = p_room AND r.seq = p_seq AND r.user_id = p_user AND r.emoji = p_emoji;
			IF FOUND THEN
				v_kind := 'reaction_removed';
			END IF;
		ELSIF (SELECT count(DISTINCT r.emoji) FROM reactions r WHERE r.room_id = p_room AND r.seq = p_seq
			AND r.emoji <> p_emoji) >= p_most THEN
			v_status := 'reaction_limit';
		ELSE
			INSERT INTO reactions (room_id, seq, user_id, emoji) VALUES (p_room, p_seq, p_user, p_emoji)
				ON CONFLICT DO NOTHING;
			IF FOUND THEN
				v_kind := 'reaction_added';
			END IF;
		END IF;
	END IF;
	IF v_kind IS NOT NULL THEN
		v_change := room_change_add(p_room, v_kind, p_seq, 'user', p_user, jsonb_build_object('emoji', p_emoji,
			'count', (SELECT count(*) FROM reactions r WHERE r.room_id = p_room AND r.seq = p_seq AND r.emoji = p_emoji)));
	END IF;
	RETURN QUERY SELECT * FROM message_done(v_status, p_room, p_seq, v_change);
END $$;
COMMENT ON FUNCTION message_react(bigint, bigint, bigint, text, boolean, integer) IS 'Adds or removes a reaction of a member; p_most: different emojis of a message; ok (also again), not_found, reaction_limit, forbidden, archived';

CREATE FUNCTION message_pin(p_room bigint, p_seq bigint, p_user bigint, p_on boolean, p_most integer)
RETURNS SETOF message_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, false, 2, false);
	v_change bigint;
BEGIN
	IF v_status = 'ok' THEN
		PERFORM 1 FROM messages m WHERE m.room_id = p_room AND m.seq = p_seq AND m.deleted_at IS NULL;
		IF NOT FOUND THEN
			v_status := 'not_found';
		ELSIF NOT p_on THEN
			DELETE FROM pins p WHERE p.room_id = p_room AND p.seq = p_seq;
			IF FOUND THEN
				PERFORM message_mark(p_room, p_seq, 'pinned', NULL);
				v_change := room_change_add(p_room, 'unpinned', p_seq, 'user', p_user, NULL);
			END IF;
		ELSIF NOT EXISTS (SELECT FROM pins p WHERE p.room_id = p_room AND p.seq = p_seq) THEN
			IF (SELECT count(*) FROM pins p WHERE p.room_id = p_room) >= p_most THEN
				v_status := 'pin_limit';
			ELSE
				INSERT INTO pins (room_id, seq, user_id) VALUES (p_room, p_seq, p_user);
				PERFORM message_mark(p_room, p_seq, 'pinned', (SELECT jsonb_build_object('by', p.user_id, 'us',
					(extract(epoch FROM p.pinned_at) * 1000000)::bigint) FROM pins p WHERE p.room_id = p_room AND p.seq = p_seq));
				v_change := room_change_add(p_room, 'pinned', p_seq, 'user', p_user, NULL);
			END IF;
		END IF;
	END IF;
	RETURN QUERY SELECT * FROM message_done(v_status, p_room, p_seq, v_change);
END $$;
COMMENT ON FUNCTION message_pin(bigint, bigint, bigint, boolean, integer) IS 'Pins or unpins a message, for moderators and owners; p_most: pinned messages of a room; ok (also again), not_found, pin_limit, forbidden, archived';
