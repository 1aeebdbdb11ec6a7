-- SPDX-License-Identifier: ISC
-- Workers keep the newest messages of rooms in memory. last_seq does not tell whether messages that they have were changed
-- by a statement that writes no entry of the log: edits does.

ALTER TABLE rooms ADD COLUMN edits bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN rooms.edits IS 'Number of statements that changed messages of the room. While epoch, last_seq, and edits are the same, its messages are the same. What deletes messages of a room that remains must raise it, too';

CREATE FUNCTION message_edits() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM 1 FROM rooms r WHERE r.id IN (SELECT c.room_id FROM changed c) ORDER BY r.id FOR NO KEY UPDATE;
	UPDATE rooms r SET edits = r.edits + 1 WHERE r.id IN (SELECT c.room_id FROM changed c);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION message_edits() IS 'Raises rooms.edits in the transaction that changes messages';
CREATE TRIGGER message_edits AFTER UPDATE ON messages REFERENCING OLD TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION message_edits();

DROP FUNCTION room_access(bigint, bigint);
CREATE FUNCTION room_access(p_room bigint, p_user bigint)
RETURNS TABLE (can_read boolean, can_write boolean, level text, from_seq bigint, last_seq bigint, epoch bigint,
	archived boolean, edits bigint)
LANGUAGE sql STABLE AS $$
	SELECT r.visibility = 'public' OR m.level IS NOT NULL, m.level IS NOT NULL AND NOT r.archived, m.level, 0::bigint,
		r.last_seq, r.epoch, r.archived, r.edits
	FROM rooms r LEFT JOIN members m ON m.room_id = r.id AND m.user_id = p_user WHERE r.id = p_room
$$;
COMMENT ON FUNCTION room_access(bigint, bigint) IS 'What a user may do in a room: read it from an entry on (from_seq; so far always 0: all of it), write without joining first, and the level of a member (NULL: none), with the position of the room; no row when it is absent';

DROP FUNCTION room_head(bigint, bigint);
CREATE FUNCTION room_head(p_room bigint, p_user bigint)
RETURNS TABLE (room_id bigint, last_seq bigint, epoch bigint, can_read boolean, is_member boolean, archived boolean,
	edits bigint)
LANGUAGE sql STABLE AS $$
	SELECT p_room, a.last_seq, a.epoch, true, a.level IS NOT NULL, a.archived, a.edits
	FROM room_access(p_room, p_user) a WHERE a.can_read OR p_user = 0
$$;
COMMENT ON FUNCTION room_head(bigint, bigint) IS 'Position of a room for one user (0: the daemon itself); no row when hidden or absent';
