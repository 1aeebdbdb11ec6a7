-- SPDX-License-Identifier: ISC
-- Users can block others. Clients fold what blocked users write, by the list of the user who blocks; the server does not let
-- blocked users add the user to rooms. A user who is blocked gets the replies that also others get.

CREATE TABLE blocks (
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	blocked_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (user_id, blocked_id),
	CHECK (user_id <> blocked_id)
);
CREATE INDEX blocks_blocked ON blocks (blocked_id);
COMMENT ON TABLE blocks IS 'Which user has blocked which other users';
COMMENT ON COLUMN blocks.user_id IS 'User who blocks';
COMMENT ON COLUMN blocks.blocked_id IS 'User who is blocked, and does not learn of it';
COMMENT ON COLUMN blocks.created_at IS 'When';
COMMENT ON COLUMN preferences.body IS 'A JSON object; the server reads timezone and add_to_rooms';

CREATE FUNCTION user_refuses(p_user bigint, p_other bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM blocks b WHERE b.user_id = p_user AND b.blocked_id = p_other)
		OR EXISTS (SELECT FROM preferences p WHERE p.user_id = p_user AND (p.body -> 'add_to_rooms')::text = 'false')
$$;
COMMENT ON FUNCTION user_refuses(bigint, bigint) IS 'Does p_user not want to be added to rooms by p_other: blocked, or preference add_to_rooms is false?';

-- p_whom: as for people_sees(). Who is not found in the directory can be blocked if they are in a public room, which everybody
-- can read.
CREATE FUNCTION user_block(p_user bigint, p_whom text, p_other bigint, p_name text, p_max bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_other bigint := (SELECT u.id FROM users u WHERE u.id = p_other OR lower(u.username) = lower(p_name));
BEGIN
	IF v_other = p_user THEN
		RETURN 'self';
	END IF;
	PERFORM 1 FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;	-- counts one at a time
	IF EXISTS (SELECT FROM blocks b WHERE b.user_id = p_user AND b.blocked_id = v_other) THEN
		RETURN 'ok';
	END IF;
	IF v_other IS NULL OR NOT (people_sees(p_user, p_whom, v_other) OR EXISTS (SELECT FROM members m JOIN rooms r ON r.id = m.room_id
		WHERE m.user_id = v_other AND r.visibility = 'public')) THEN
		RETURN 'not_found';
	END IF;
	IF (SELECT count(*) FROM blocks b WHERE b.user_id = p_user) >= p_max THEN
		RETURN 'limit';
	END IF;
	INSERT INTO blocks (user_id, blocked_id) VALUES (p_user, v_other);
	PERFORM audit_add('user blocked', 'user:' || v_other);
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION user_block(bigint, text, bigint, text, bigint) IS 'Blocks a user by number or name: ok (also again), not_found (or hidden), self, limit';

CREATE FUNCTION user_unblock(p_user bigint, p_other bigint, p_name text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_other bigint := (SELECT u.id FROM users u WHERE u.id = p_other OR lower(u.username) = lower(p_name));
BEGIN
	DELETE FROM blocks b WHERE b.user_id = p_user AND b.blocked_id = v_other;
	IF NOT FOUND THEN
		RETURN 'not_found';
	END IF;
	PERFORM audit_add('user unblocked', 'user:' || v_other);
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION user_unblock(bigint, bigint, text) IS 'Ends a block: ok, not_found (there is none)';

CREATE OR REPLACE FUNCTION room_member_add(p_room bigint, p_user bigint, p_admin boolean, p_other bigint, p_level text)
RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, 2, false);
	v_old text;
	v_own text;
BEGIN
	IF v_status = 'ok' THEN
		SELECT m.level INTO v_own FROM members m WHERE m.room_id = p_room AND m.user_id = p_user;
		SELECT m.level INTO v_old FROM members m WHERE m.room_id = p_room AND m.user_id = p_other;
		IF NOT EXISTS (SELECT FROM users u WHERE u.id = p_other AND NOT u.disabled)
			OR (v_old IS NULL AND NOT p_admin AND user_refuses(p_other, p_user)) THEN
			v_status := 'not_found';
		ELSIF v_old = p_level THEN
			RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, NULL);
			RETURN;
		ELSIF NOT p_admin AND v_own <> 'owner' AND (p_level <> 'member' OR v_old IS NOT NULL) THEN
			v_status := 'forbidden';
		ELSIF last_owner(p_room, p_other) THEN
			v_status := 'conflict';
		END IF;
	END IF;
	IF v_status <> 'ok' THEN
		RETURN QUERY SELECT * FROM room_done(v_status, NULL, NULL, NULL);
		RETURN;
	END IF;
	INSERT INTO members (room_id, user_id, level) VALUES (p_room, p_other, p_level)
		ON CONFLICT (room_id, user_id) DO UPDATE SET level = excluded.level;
	RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user,
		room_change_add(p_room, CASE WHEN v_old IS NULL THEN 'joined' ELSE 'member_level' END, NULL, 'user', p_user,
			member_body(p_other, p_level)));
END $$;
COMMENT ON FUNCTION room_member_add(bigint, bigint, boolean, bigint, text) IS 'Adds a member (moderators) or sets a level (owners); ok, not_found (also who refuses to be added, see user_refuses()), forbidden, archived, conflict (last owner)';
