-- SPDX-License-Identifier: ISC
-- Who may read a room, in one place.

-- It is inlined into the statements that use it. The position of the room is among its columns because a second look at
-- rooms would cost those statements a sixth of their time.
CREATE FUNCTION room_access(p_room bigint, p_user bigint)
RETURNS TABLE (can_read boolean, can_write boolean, level text, from_seq bigint, last_seq bigint, epoch bigint,
	archived boolean)
LANGUAGE sql STABLE AS $$
	SELECT r.visibility = 'public' OR m.level IS NOT NULL, m.level IS NOT NULL AND NOT r.archived, m.level, 0::bigint,
		r.last_seq, r.epoch, r.archived
	FROM rooms r LEFT JOIN members m ON m.room_id = r.id AND m.user_id = p_user WHERE r.id = p_room
$$;
COMMENT ON FUNCTION room_access(bigint, bigint) IS 'What a user may do in a room: read it from an entry on (from_seq; so far always 0: all of it), write without joining first, and the level of a member (NULL: none), with the position of the room; no row when it is absent';

CREATE OR REPLACE FUNCTION room_head(p_room bigint, p_user bigint)
RETURNS TABLE (room_id bigint, last_seq bigint, epoch bigint, can_read boolean, is_member boolean, archived boolean)
LANGUAGE sql STABLE AS $$
	SELECT p_room, a.last_seq, a.epoch, true, a.level IS NOT NULL, a.archived
	FROM room_access(p_room, p_user) a WHERE a.can_read OR p_user = 0
$$;

-- Nobody calls it: login sessions end in logins_end().
DROP FUNCTION login_end(bigint, text);
