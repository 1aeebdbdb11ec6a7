-- SPDX-License-Identifier: ISC
-- Functions of rooms, members and attached roles. Every change gets a seq in the room's log.
-- Order of locks everywhere: the room's row first, then the rest; rooms ascending by id.

CREATE FUNCTION room_change_add(p_room bigint, p_kind text, p_target bigint, p_actor_kind text, p_actor bigint, p_body jsonb)
RETURNS bigint
LANGUAGE sql AS $$
	WITH head AS (
		UPDATE rooms SET last_seq = last_seq + 1, last_at = greatest(clock_timestamp(), last_at)
		WHERE id = p_room RETURNING last_seq, last_at)
	INSERT INTO room_changes (room_id, seq, target_seq, actor_id, created_at, actor_kind, kind, body)
	SELECT p_room, last_seq, p_target, p_actor, last_at, p_actor_kind, p_kind, p_body FROM head
	RETURNING seq
$$;
COMMENT ON FUNCTION room_change_add(bigint, text, bigint, text, bigint, jsonb) IS 'Writes one entry into a room''s log and gives its seq';

CREATE FUNCTION room_view(p_room bigint, p_user bigint)
RETURNS TABLE (id bigint, name text, owner_id bigint, visibility text, reply_policy text, level text, last_seq bigint,
	last_at timestamptz, epoch bigint, created_at timestamptz, member_count bigint, archived boolean, role_ids bigint[],
	role_names text[])
LANGUAGE sql STABLE AS $$
	SELECT r.id, r.name, r.owner_id, r.visibility, r.reply_policy,
		(SELECT m.level FROM members m WHERE m.room_id = r.id AND m.user_id = p_user), r.last_seq, r.last_at, r.epoch,
		r.created_at, (SELECT count(*) FROM members m WHERE m.room_id = r.id), r.archived,
		ARRAY(SELECT rr.role_id FROM room_roles rr WHERE rr.room_id = r.id ORDER BY 1),
		ARRAY(SELECT o.name FROM room_roles rr JOIN roles o ON o.id = rr.role_id WHERE rr.room_id = r.id ORDER BY rr.role_id)
	FROM rooms r WHERE r.id = p_room
$$;
COMMENT ON FUNCTION room_view(bigint, bigint) IS 'A room as one user sees it; no access check';

CREATE FUNCTION author_name(p_kind text, p_id bigint) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT CASE p_kind WHEN 'user' THEN (SELECT u.username FROM users u WHERE u.id = p_id)
		WHEN 'role' THEN (SELECT r.name FROM roles r WHERE r.id = p_id) ELSE 'system' END
$$;
COMMENT ON FUNCTION author_name(text, bigint) IS 'Name of a user or role; NULL when gone; system otherwise';

CREATE TYPE room_result AS (
	status text,
	id bigint, name text, owner_id bigint, visibility text, reply_policy text, level text, last_seq bigint,
	last_at timestamptz, epoch bigint, created_at timestamptz, member_count bigint, archived boolean, role_ids bigint[],
	role_names text[],
	change_seq bigint, change_kind text, change_target bigint, change_actor_kind text, change_actor bigint,
	change_actor_name text, change_body text, change_at timestamptz
);
COMMENT ON TYPE room_result IS 'What functions that change a room give: status, the room as the caller sees it now, the entry written (NULL: none)';

-- VOLATILE on purpose: it must see what the caller has just written.
CREATE FUNCTION room_done(p_status text, p_room bigint, p_user bigint, p_seq bigint) RETURNS SETOF room_result
LANGUAGE sql VOLATILE AS $$
	SELECT p_status, v.*, c.seq, c.kind, c.target_seq, c.actor_kind, c.actor_id, author_name(c.actor_kind, c.actor_id),
		c.body::text, c.created_at
	FROM (SELECT 1) one
	LEFT JOIN room_view(p_room, p_user) v ON true
	LEFT JOIN room_changes c ON c.room_id = p_room AND c.seq = p_seq
$$;
COMMENT ON FUNCTION room_done(text, bigint, bigint, bigint) IS 'Ends a function that changed a room: builds its room_result';

CREATE FUNCTION level_rank(p_level text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE p_level WHEN 'owner' THEN 3 WHEN 'moderator' THEN 2 WHEN 'member' THEN 1 ELSE 0 END
$$;
COMMENT ON FUNCTION level_rank(text) IS 'member 1, moderator 2, owner 3, no member 0';

-- Locks the room and says whether p_user may do what needs p_rank: ok, not_found, forbidden, archived.
CREATE FUNCTION room_lock(p_room bigint, p_user bigint, p_admin boolean, p_rank integer, p_archived_too boolean)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_room rooms;
	v_rank integer;
BEGIN
	SELECT * INTO v_room FROM rooms r WHERE r.id = p_room FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN 'not_found';
	END IF;
	IF p_admin THEN
		v_rank := 3;
	ELSE
		v_rank := level_rank((SELECT m.level FROM members m WHERE m.room_id = p_room AND m.user_id = p_user));
	END IF;
	IF v_rank = 0 AND v_room.visibility = 'private' THEN
		RETURN 'not_found';
	END IF;
	IF v_rank < p_rank THEN
		RETURN 'forbidden';
	END IF;
	IF v_room.archived AND NOT p_archived_too THEN
		RETURN 'archived';
	END IF;
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION room_lock(bigint, bigint, boolean, integer, boolean) IS 'Locks a room for a change and checks level: ok, not_found, forbidden, archived';

CREATE FUNCTION member_body(p_user bigint, p_level text) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object('user_id', u.id, 'username', u.username, 'level', p_level) FROM users u WHERE u.id = p_user
$$;
COMMENT ON FUNCTION member_body(bigint, text) IS 'Body of joined, left and member_level entries';

CREATE FUNCTION room_create(p_user bigint, p_name text, p_visibility text, p_reply_policy text, p_role_ids bigint[],
	p_max_per_owner bigint)
RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_room bigint;
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;	-- counts one at a time
	IF NOT FOUND THEN
		RETURN QUERY SELECT * FROM room_done('not_found', NULL, NULL, NULL);
		RETURN;
	END IF;
	IF (SELECT count(*) FROM rooms r WHERE r.owner_id = p_user) >= p_max_per_owner THEN
		RETURN QUERY SELECT * FROM room_done('limit', NULL, NULL, NULL);
		RETURN;
	END IF;
	PERFORM 1 FROM roles r WHERE r.id = ANY (p_role_ids) AND r.deleted_at IS NULL ORDER BY r.id FOR KEY SHARE;
	IF (SELECT count(DISTINCT i) FROM unnest(p_role_ids) i)
		<> (SELECT count(*) FROM roles r WHERE r.id = ANY (p_role_ids) AND r.deleted_at IS NULL) THEN
		RETURN QUERY SELECT * FROM room_done('no_role', NULL, NULL, NULL);
		RETURN;
	END IF;
	INSERT INTO rooms (name, owner_id, visibility, reply_policy)
		VALUES (p_name, p_user, p_visibility, p_reply_policy) RETURNING id INTO v_room;
	INSERT INTO members (room_id, user_id, level) VALUES (v_room, p_user, 'owner');
	INSERT INTO room_roles (room_id, role_id) SELECT DISTINCT v_room, i FROM unnest(p_role_ids) i;
	RETURN QUERY SELECT * FROM room_done('ok', v_room, p_user,
		room_change_add(v_room, 'joined', NULL, 'user', p_user, member_body(p_user, 'owner')));
END $$;
COMMENT ON FUNCTION room_create(bigint, text, text, text, bigint[], bigint) IS 'A new room; the creator is its owner and its first entry; status ok, limit, no_role, not_found';

CREATE FUNCTION room_join(p_room bigint, p_user bigint) RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_room rooms;
BEGIN
	SELECT * INTO v_room FROM rooms r WHERE r.id = p_room FOR NO KEY UPDATE;
	IF EXISTS (SELECT FROM members m WHERE m.room_id = p_room AND m.user_id = p_user) THEN
		RETURN QUERY SELECT * FROM room_done('already', p_room, p_user, NULL);
		RETURN;
	END IF;
	IF v_room.id IS NULL OR v_room.visibility = 'private' OR NOT EXISTS (SELECT FROM users u WHERE u.id = p_user) THEN
		RETURN QUERY SELECT * FROM room_done('not_found', NULL, NULL, NULL);
		RETURN;
	END IF;
	IF v_room.archived THEN
		RETURN QUERY SELECT * FROM room_done('archived', NULL, NULL, NULL);
		RETURN;
	END IF;
	INSERT INTO members (room_id, user_id) VALUES (p_room, p_user);
	RETURN QUERY SELECT * FROM room_done('joined', p_room, p_user,
		room_change_add(p_room, 'joined', NULL, 'user', p_user, member_body(p_user, 'member')));
END $$;
COMMENT ON FUNCTION room_join(bigint, bigint) IS 'Joins a public room, once: joined, already, not_found, archived';

CREATE FUNCTION last_owner(p_room bigint, p_user bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM members m WHERE m.room_id = p_room AND m.user_id = p_user AND m.level = 'owner')
		AND NOT EXISTS (SELECT FROM members m WHERE m.room_id = p_room AND m.user_id <> p_user AND m.level = 'owner')
$$;
COMMENT ON FUNCTION last_owner(bigint, bigint) IS 'Is this user the only owner of the room?';

CREATE FUNCTION room_member_remove(p_room bigint, p_user bigint, p_admin boolean, p_other bigint)
RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_leave boolean := p_user = p_other;
	v_status text := room_lock(p_room, p_user, p_admin, CASE WHEN p_user = p_other THEN 0 ELSE 2 END, true);
	v_level text;
	v_own integer := level_rank((SELECT m.level FROM members m WHERE m.room_id = p_room AND m.user_id = p_user));
BEGIN
	IF v_status = 'ok' THEN
		SELECT m.level INTO v_level FROM members m WHERE m.room_id = p_room AND m.user_id = p_other;
		IF NOT FOUND THEN
			RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, NULL);
			RETURN;
		END IF;
		IF NOT v_leave AND NOT p_admin AND level_rank(v_level) >= v_own AND v_own < 3 THEN
			v_status := 'forbidden';
		ELSIF last_owner(p_room, p_other) THEN
			v_status := 'conflict';
		END IF;
	END IF;
	IF v_status <> 'ok' THEN
		RETURN QUERY SELECT * FROM room_done(v_status, NULL, NULL, NULL);
		RETURN;
	END IF;
	DELETE FROM members m WHERE m.room_id = p_room AND m.user_id = p_other;
	RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user,
		room_change_add(p_room, 'left', NULL, 'user', p_user, member_body(p_other, v_level)));
END $$;
COMMENT ON FUNCTION room_member_remove(bigint, bigint, boolean, bigint) IS 'Removes a member (moderators: members; owners: anybody but the last owner), or lets one leave; ok, not_found, forbidden, conflict (last owner)';

CREATE FUNCTION room_leave(p_room bigint, p_user bigint) RETURNS SETOF room_result
LANGUAGE sql AS $$
	SELECT * FROM room_member_remove(p_room, p_user, false, p_user)
$$;
COMMENT ON FUNCTION room_leave(bigint, bigint) IS 'Leaves a room; the last owner cannot: ok, not_found, conflict';

CREATE FUNCTION room_member_add(p_room bigint, p_user bigint, p_admin boolean, p_other bigint, p_level text)
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
		IF NOT EXISTS (SELECT FROM users u WHERE u.id = p_other AND NOT u.disabled) THEN
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
COMMENT ON FUNCTION room_member_add(bigint, bigint, boolean, bigint, text) IS 'Adds a member (moderators) or sets a level (owners); ok, not_found, forbidden, archived, conflict (last owner)';

CREATE FUNCTION room_role(p_room bigint, p_user bigint, p_admin boolean, p_role bigint, p_attach boolean)
RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, 2, false);
	v_name text;
BEGIN
	IF v_status = 'ok' THEN
		SELECT r.name INTO v_name FROM roles r WHERE r.id = p_role AND r.deleted_at IS NULL FOR KEY SHARE;
		IF NOT FOUND THEN
			v_status := 'not_found';
		END IF;
	END IF;
	IF v_status <> 'ok' THEN
		RETURN QUERY SELECT * FROM room_done(v_status, NULL, NULL, NULL);
		RETURN;
	END IF;
	IF p_attach THEN
		INSERT INTO room_roles (room_id, role_id) VALUES (p_room, p_role) ON CONFLICT DO NOTHING;
	ELSE
		DELETE FROM room_roles rr WHERE rr.room_id = p_room AND rr.role_id = p_role;
	END IF;
	IF NOT FOUND THEN
		RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, NULL);
		RETURN;
	END IF;
	RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user,
		room_change_add(p_room, CASE WHEN p_attach THEN 'role_attached' ELSE 'role_detached' END, NULL, 'user', p_user,
			jsonb_build_object('role_id', p_role, 'name', v_name)));
END $$;
COMMENT ON FUNCTION room_role(bigint, bigint, boolean, bigint, boolean) IS 'Attaches a role to a room or detaches it; ok, not_found, forbidden, archived';

CREATE FUNCTION role_delete(p_id bigint, p_user bigint, p_admin boolean) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_role roles;
	v_room bigint;
BEGIN
	SELECT * INTO v_role FROM roles r WHERE r.id = p_id AND r.deleted_at IS NULL;
	IF NOT FOUND THEN
		RETURN 'not_found';
	END IF;
	IF NOT p_admin AND v_role.owner_id IS DISTINCT FROM p_user THEN
		RETURN 'forbidden';
	END IF;
	FOR v_room IN SELECT rr.room_id FROM room_roles rr WHERE rr.role_id = p_id ORDER BY 1 LOOP
		PERFORM 1 FROM rooms r WHERE r.id = v_room FOR NO KEY UPDATE;
		DELETE FROM room_roles rr WHERE rr.room_id = v_room AND rr.role_id = p_id;
		IF FOUND THEN
			PERFORM room_change_add(v_room, 'role_detached', NULL, 'user', p_user,
				jsonb_build_object('role_id', p_id, 'name', v_role.name));
		END IF;
	END LOOP;
	UPDATE roles r SET deleted_at = clock_timestamp() WHERE r.id = p_id AND r.deleted_at IS NULL;
	DELETE FROM names n WHERE n.kind = 'role' AND n.id = p_id;
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION role_delete(bigint, bigint, boolean) IS 'Hides a role, frees its name, detaches it from its rooms; ok, not_found, forbidden';

CREATE FUNCTION room_patch(p_room bigint, p_user bigint, p_admin boolean, p_name text, p_visibility text,
	p_set_policy boolean, p_policy text, p_archived boolean)
RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin,
		CASE WHEN p_visibility IS NOT NULL OR p_archived IS NOT NULL THEN 3 ELSE 2 END, p_archived IS NOT NULL);
	v_old rooms;
	v_new rooms;
	v_body jsonb;
BEGIN
	IF v_status <> 'ok' THEN
		RETURN QUERY SELECT * FROM room_done(v_status, NULL, NULL, NULL);
		RETURN;
	END IF;
	SELECT * INTO v_old FROM rooms r WHERE r.id = p_room;
	UPDATE rooms r SET name = coalesce(p_name, r.name), visibility = coalesce(p_visibility, r.visibility),
		reply_policy = CASE WHEN p_set_policy THEN p_policy ELSE r.reply_policy END,
		archived = coalesce(p_archived, r.archived)
	WHERE r.id = p_room RETURNING * INTO v_new;
	SELECT jsonb_object_agg(n.key, n.value) INTO v_body
	FROM jsonb_each(to_jsonb(v_new)) n JOIN jsonb_each(to_jsonb(v_old)) o USING (key) WHERE n.value <> o.value;
	RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, CASE WHEN v_body IS NOT NULL THEN
		room_change_add(p_room, 'room_changed', NULL, 'user', p_user, v_body) END);
END $$;
COMMENT ON FUNCTION room_patch(bigint, bigint, boolean, text, text, boolean, text, boolean) IS 'Changes a room (NULL: unchanged); moderators name and policy, owners the rest; ok, not_found, forbidden, archived';

CREATE FUNCTION room_delete(p_room bigint, p_user bigint, p_admin boolean) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, 3, true);
BEGIN
	IF v_status = 'ok' THEN
		DELETE FROM messages m WHERE m.room_id = p_room;
		DELETE FROM room_changes c WHERE c.room_id = p_room;
		DELETE FROM rooms r WHERE r.id = p_room;
	END IF;
	RETURN v_status;
END $$;
COMMENT ON FUNCTION room_delete(bigint, bigint, boolean) IS 'Removes a room and its log for good; owners only; ok, not_found, forbidden';
