-- SPDX-License-Identifier: ISC
-- How far members have read their rooms. The rows are not in members, because they change every few seconds, and statements
-- that write many of them must not hold locks of members.

CREATE TABLE member_marks (
	room_id   bigint NOT NULL,
	user_id   bigint NOT NULL,
	last_read bigint NOT NULL,
	PRIMARY KEY (room_id, user_id),
	FOREIGN KEY (room_id, user_id) REFERENCES members ON DELETE CASCADE
) WITH (fillfactor = 70);
COMMENT ON TABLE member_marks IS 'How far members have read their rooms. Each member has a row, which goes with the membership';
COMMENT ON COLUMN member_marks.room_id IS 'Room';
COMMENT ON COLUMN member_marks.user_id IS 'Member';
COMMENT ON COLUMN member_marks.last_read IS 'seq of the newest entry that the user has read';

-- What was there before the user came, or before this migration, is not news.
CREATE FUNCTION member_mark_add() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO member_marks (room_id, user_id, last_read) SELECT NEW.room_id, NEW.user_id, r.last_seq FROM rooms r WHERE r.id = NEW.room_id;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION member_mark_add() IS 'Gives a new member a read marker at the end of the room';
CREATE TRIGGER member_mark_add AFTER INSERT ON members FOR EACH ROW EXECUTE FUNCTION member_mark_add();
INSERT INTO member_marks (room_id, user_id, last_read)
	SELECT m.room_id, m.user_id, r.last_seq FROM members m JOIN rooms r ON r.id = m.room_id;

CREATE INDEX notifications_mention ON notifications (user_id, room_id, seq) WHERE kind = 'mention';
COMMENT ON INDEX notifications_mention IS 'Mentions of a user in a room, for unread_after()';

-- Both functions are inlined. The newest 1,000 messages are looked at, so that many deleted messages cost no more.
CREATE FUNCTION unread_after(p_room bigint, p_user bigint, p_after bigint) RETURNS TABLE (unread bigint, mentions bigint)
LANGUAGE sql STABLE AS $$
	SELECT (SELECT count(*) FROM (SELECT FROM (SELECT m.author_kind, m.author_id, m.deleted_at FROM messages m
			WHERE m.room_id = p_room AND m.seq > p_after ORDER BY m.seq DESC LIMIT 1000) o
			WHERE o.deleted_at IS NULL AND (o.author_kind <> 'user' OR o.author_id <> p_user) LIMIT 100) c),
		(SELECT count(*) FROM (SELECT FROM notifications n JOIN messages m ON m.room_id = n.room_id AND m.seq = n.seq
			WHERE n.user_id = p_user AND n.room_id = p_room AND n.seq > p_after AND n.kind = 'mention' AND m.deleted_at IS NULL
			LIMIT 100) c)
$$;
COMMENT ON FUNCTION unread_after(bigint, bigint, bigint) IS 'Number of messages of others after an entry, and number of mentions of the user among them, each at most 100. Deleted messages do not count';

CREATE FUNCTION room_marks(p_room bigint, p_user bigint) RETURNS TABLE (last_read bigint, unread bigint, mentions bigint)
LANGUAGE sql STABLE AS $$
	SELECT k.last_read, CASE WHEN r.last_seq > k.last_read THEN (SELECT u.unread FROM unread_after(p_room, p_user, k.last_read) u) ELSE 0 END,
		CASE WHEN r.last_seq > k.last_read THEN (SELECT u.mentions FROM unread_after(p_room, p_user, k.last_read) u) ELSE 0 END
	FROM member_marks k JOIN rooms r ON r.id = k.room_id WHERE k.room_id = p_room AND k.user_id = p_user
$$;
COMMENT ON FUNCTION room_marks(bigint, bigint) IS 'What a member has not read in a room; no row for others';

-- Locks in order, because workers write at the same time. Losing the newest markers in a crash of PostgreSQL does no harm.
CREATE FUNCTION read_marks_write(p_rooms bigint[], p_users bigint[], p_seqs bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_count bigint;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	PERFORM 1 FROM unnest(p_rooms, p_users) i (room_id, user_id) JOIN member_marks k USING (room_id, user_id)
		ORDER BY k.room_id, k.user_id FOR NO KEY UPDATE OF k;
	UPDATE member_marks k SET last_read = least(i.seq, r.last_seq)
		FROM unnest(p_rooms, p_users, p_seqs) i (room_id, user_id, seq) JOIN rooms r ON r.id = i.room_id
		WHERE k.room_id = i.room_id AND k.user_id = i.user_id AND k.last_read < least(i.seq, r.last_seq);
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END $$;
COMMENT ON FUNCTION read_marks_write(bigint[], bigint[], bigint[]) IS 'Moves read markers forward, never back; those of users who are no longer members are ignored. Gives how many moved';

CREATE FUNCTION read_mark_move(p_room bigint, p_user bigint, p_seq bigint, p_back boolean)
RETURNS TABLE (status text, last_seq bigint, last_read bigint, unread bigint, mentions bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_access record;
	v_read bigint;
BEGIN
	SELECT a.can_read, a.level, a.last_seq INTO v_access FROM room_access(p_room, p_user) a;
	IF NOT FOUND OR NOT v_access.can_read THEN
		RETURN QUERY SELECT 'not_found', 0::bigint, 0::bigint, 0::bigint, 0::bigint;
	ELSIF v_access.level IS NULL THEN
		RETURN QUERY SELECT 'no_member', 0::bigint, 0::bigint, 0::bigint, 0::bigint;
	ELSIF p_seq > v_access.last_seq THEN
		RETURN QUERY SELECT 'seq_late', v_access.last_seq, 0::bigint, 0::bigint, 0::bigint;
	ELSE
		UPDATE member_marks k SET last_read = CASE WHEN p_back THEN p_seq - 1 ELSE greatest(k.last_read, p_seq) END
			WHERE k.room_id = p_room AND k.user_id = p_user RETURNING k.last_read INTO v_read;
		RETURN QUERY SELECT 'ok', v_access.last_seq, v_read, u.unread, u.mentions FROM unread_after(p_room, p_user, v_read) u;
	END IF;
END $$;
COMMENT ON FUNCTION read_mark_move(bigint, bigint, bigint, boolean) IS 'Moves the read marker of a member forward to an entry, or with p_back to before it, in either direction: ok, not_found, no_member, seq_late (the room has no such entry)';
