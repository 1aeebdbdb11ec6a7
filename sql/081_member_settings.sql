-- SPDX-License-Identifier: ISC
-- What members want of their rooms: favorites, no notifications for a while, and drafts.

ALTER TABLE member_marks ADD COLUMN favorite boolean NOT NULL DEFAULT false,
	ADD COLUMN muted_until timestamptz,
	ADD COLUMN muted_mentions boolean NOT NULL DEFAULT false;
COMMENT ON TABLE member_marks IS 'How far members have read their rooms, and what they want of them. Each member has a row, which goes with the membership';
COMMENT ON COLUMN member_marks.favorite IS 'The user marked the room as a favorite';
COMMENT ON COLUMN member_marks.muted_until IS 'No notifications about the room until then; infinity: indefinitely; NULL: not muted';
COMMENT ON COLUMN member_marks.muted_mentions IS 'While the room is muted: also no notifications of mentions';

-- All writers of notifications come by here. A row that is not inserted was not wanted.
CREATE FUNCTION notification_muted() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF EXISTS (SELECT FROM member_marks k WHERE k.room_id = NEW.room_id AND k.user_id = NEW.user_id
		AND k.muted_until > clock_timestamp() AND (NEW.kind <> 'mention' OR k.muted_mentions))
	THEN
		RETURN NULL;
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION notification_muted() IS 'Drops notifications about rooms that their user has muted';
CREATE TRIGGER notification_muted BEFORE INSERT ON notifications FOR EACH ROW WHEN (NEW.room_id IS NOT NULL)
	EXECUTE FUNCTION notification_muted();

CREATE FUNCTION member_status(p_room bigint, p_user bigint) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT CASE WHEN a.level IS NOT NULL THEN 'ok' WHEN a.can_read THEN 'no_member' END
		FROM room_access(p_room, p_user) a), 'not_found')
$$;
COMMENT ON FUNCTION member_status(bigint, bigint) IS 'May the user do what only members do for themselves? ok, no_member, not_found (also if the room is hidden)';

-- p_set: favorite, mute (p_until NULL: indefinitely), or unmute.
CREATE FUNCTION member_settings_put(p_room bigint, p_user bigint, p_set text, p_favorite boolean, p_until timestamptz, p_mentions boolean)
RETURNS TABLE (status text, favorite boolean, muted boolean, muted_until timestamptz, muted_mentions boolean)
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := member_status(p_room, p_user);
	v_mark member_marks;
BEGIN
	IF v_status = 'ok' THEN
		UPDATE member_marks k SET favorite = CASE p_set WHEN 'favorite' THEN p_favorite ELSE k.favorite END,
			muted_until = CASE p_set WHEN 'mute' THEN coalesce(p_until, 'infinity') WHEN 'unmute' THEN NULL ELSE k.muted_until END,
			muted_mentions = CASE p_set WHEN 'mute' THEN p_mentions WHEN 'unmute' THEN false ELSE k.muted_mentions END
		WHERE k.room_id = p_room AND k.user_id = p_user RETURNING k.* INTO v_mark;
	END IF;
	RETURN QUERY SELECT v_status, v_mark.favorite, v_mark.muted_until IS NOT NULL AND v_mark.muted_until > clock_timestamp(),
		nullif(v_mark.muted_until, 'infinity'), v_mark.muted_mentions;
END $$;
COMMENT ON FUNCTION member_settings_put(bigint, bigint, text, boolean, timestamptz, boolean) IS 'Sets whether a room is a favorite of a member, or mutes or unmutes it: ok, not_found, no_member';

-- A function of its own, so that lists of rooms lock the table of messages only if something is unread. After the first
-- lock that is not free, the rest of the list is not counted, either.
CREATE FUNCTION unread_if_free(p_room bigint, p_user bigint, p_after bigint, OUT unread bigint, OUT mentions bigint)
LANGUAGE plpgsql SET lock_timeout = '20ms' AS $$
BEGIN
	IF current_setting('parlour.uncounted', true) = 'yes' THEN
		RETURN;
	END IF;
	SELECT u.unread, u.mentions INTO unread, mentions FROM unread_after(p_room, p_user, p_after) u;
EXCEPTION WHEN lock_not_available THEN
	PERFORM set_config('parlour.uncounted', 'yes', true);
END $$;
COMMENT ON FUNCTION unread_if_free(bigint, bigint, bigint) IS 'unread_after(), or NULL if another transaction locks the table of messages';

DROP FUNCTION room_marks(bigint, bigint);
CREATE FUNCTION room_marks(p_room bigint, p_user bigint)
RETURNS TABLE (last_read bigint, unread bigint, mentions bigint, favorite boolean, muted boolean, muted_until timestamptz, muted_mentions boolean)
LANGUAGE sql STABLE AS $$
	SELECT k.last_read, CASE WHEN r.last_seq > k.last_read THEN u.unread ELSE 0 END,
		CASE WHEN r.last_seq > k.last_read THEN u.mentions ELSE 0 END,
		k.favorite, k.muted_until IS NOT NULL AND k.muted_until > clock_timestamp(), nullif(k.muted_until, 'infinity'), k.muted_mentions
	FROM member_marks k JOIN rooms r ON r.id = k.room_id
		LEFT JOIN LATERAL (SELECT f.unread, f.mentions FROM unread_if_free(p_room, p_user, k.last_read) f
			WHERE r.last_seq > k.last_read OFFSET 0) u ON true
	WHERE k.room_id = p_room AND k.user_id = p_user
$$;
COMMENT ON FUNCTION room_marks(bigint, bigint) IS 'What a member has not read in a room, and wants of it; no row for others';

CREATE TABLE drafts (
	room_id    bigint NOT NULL,
	user_id    bigint NOT NULL,
	content    text NOT NULL CHECK (content <> ''),
	updated_at timestamptz NOT NULL,
	PRIMARY KEY (room_id, user_id),
	FOREIGN KEY (room_id, user_id) REFERENCES members ON DELETE CASCADE
);
COMMENT ON TABLE drafts IS 'Unfinished messages of members, for all devices of the user. They go with the membership';
COMMENT ON COLUMN drafts.room_id IS 'Room';
COMMENT ON COLUMN drafts.user_id IS 'Member';
COMMENT ON COLUMN drafts.content IS 'The text so far';
COMMENT ON COLUMN drafts.updated_at IS 'When it was stored';

-- p_content NULL: deletes it.
CREATE FUNCTION draft_put(p_room bigint, p_user bigint, p_content text) RETURNS TABLE (status text, content text, updated_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := member_status(p_room, p_user);
	v_at timestamptz := clock_timestamp();
BEGIN
	IF v_status = 'ok' AND p_content IS NOT NULL THEN
		INSERT INTO drafts AS d (room_id, user_id, content, updated_at) VALUES (p_room, p_user, p_content, v_at)
			ON CONFLICT (room_id, user_id) DO UPDATE SET content = excluded.content, updated_at = excluded.updated_at;
	ELSIF v_status = 'ok' THEN
		DELETE FROM drafts d WHERE d.room_id = p_room AND d.user_id = p_user;
	END IF;
	RETURN QUERY SELECT v_status, p_content, v_at;
END $$;
COMMENT ON FUNCTION draft_put(bigint, bigint, text) IS 'Stores or deletes the draft of a member: ok (also if there was none), not_found, no_member';

CREATE FUNCTION draft_get(p_room bigint, p_user bigint) RETURNS TABLE (status text, content text, updated_at timestamptz)
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN s.status = 'ok' AND d.room_id IS NULL THEN 'not_found' ELSE s.status END, d.content, d.updated_at
	FROM (SELECT member_status(p_room, p_user)) s (status)
		LEFT JOIN drafts d ON d.room_id = p_room AND d.user_id = p_user AND s.status = 'ok'
$$;
COMMENT ON FUNCTION draft_get(bigint, bigint) IS 'The draft of a member: ok, not_found (also without a draft), no_member';
