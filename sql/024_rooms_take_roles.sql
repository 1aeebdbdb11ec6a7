-- SPDX-License-Identifier: ISC
-- Rooms that take the roles of their owner when these are first used, and reply policies that stay what they were.

ALTER TABLE rooms ADD COLUMN takes_roles boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN rooms.takes_roles IS 'A role of the owner joins the room when it is first mentioned or asked; ends when a role is detached';
COMMENT ON COLUMN rooms.reply_policy IS 'When roles answer: off, mention, all; NULL: not decided yet, because no role has joined';

-- What the default was for the roles that are there now.
UPDATE rooms r SET reply_policy = CASE WHEN k.n = 1 THEN 'all' ELSE 'mention' END
FROM (SELECT rr.room_id, count(*) AS n FROM room_roles rr GROUP BY rr.room_id) k
WHERE k.room_id = r.id AND r.reply_policy IS NULL;

CREATE FUNCTION room_policy_fix(p_room bigint) RETURNS void
LANGUAGE sql AS $$
	UPDATE rooms r SET reply_policy = CASE WHEN k.n = 1 THEN 'all' ELSE 'mention' END
	FROM (SELECT count(*) AS n FROM room_roles rr WHERE rr.room_id = p_room) k
	WHERE r.id = p_room AND r.reply_policy IS NULL AND k.n > 0
$$;
COMMENT ON FUNCTION room_policy_fix(bigint) IS 'Decides the reply policy of a room that has none: all if exactly one role is attached, mention if more are';

CREATE OR REPLACE FUNCTION room_create(p_user bigint, p_name text, p_visibility text, p_reply_policy text,
	p_role_ids bigint[], p_max_per_owner bigint)
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
	INSERT INTO rooms (name, owner_id, visibility, reply_policy, takes_roles)
		VALUES (p_name, p_user, p_visibility, p_reply_policy, p_role_ids IS NULL) RETURNING id INTO v_room;
	INSERT INTO members (room_id, user_id, level) VALUES (v_room, p_user, 'owner');
	INSERT INTO room_roles (room_id, role_id) SELECT DISTINCT v_room, i FROM unnest(p_role_ids) i;
	PERFORM room_policy_fix(v_room);
	RETURN QUERY SELECT * FROM room_done('ok', v_room, p_user,
		room_change_add(v_room, 'joined', NULL, 'user', p_user, member_body(p_user, 'owner')));
END $$;
COMMENT ON FUNCTION room_create(bigint, text, text, text, bigint[], bigint) IS 'A new room; the creator is its owner and its first entry; p_role_ids NULL: it takes roles of its owner when they are used; status ok, limit, no_role, not_found';

CREATE OR REPLACE FUNCTION room_role(p_room bigint, p_user bigint, p_admin boolean, p_role bigint, p_attach boolean)
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
	PERFORM room_policy_fix(p_room);	-- roles that are there decided it, whatever a moderator took back since
	IF p_attach THEN
		INSERT INTO room_roles (room_id, role_id) VALUES (p_room, p_role) ON CONFLICT DO NOTHING;
	ELSE
		DELETE FROM room_roles rr WHERE rr.room_id = p_room AND rr.role_id = p_role;
	END IF;
	IF NOT FOUND THEN
		RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, NULL);
		RETURN;
	END IF;
	IF p_attach THEN
		PERFORM room_policy_fix(p_room);
	ELSE
		UPDATE rooms r SET takes_roles = false WHERE r.id = p_room AND r.takes_roles;
	END IF;
	RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user,
		room_change_add(p_room, CASE WHEN p_attach THEN 'role_attached' ELSE 'role_detached' END, NULL, 'user', p_user,
			jsonb_build_object('role_id', p_role, 'name', v_name)));
END $$;

CREATE FUNCTION room_take(p_room bigint, p_user bigint, p_role bigint) RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_room rooms;
	v_name text;
BEGIN
	SELECT * INTO v_room FROM rooms r WHERE r.id = p_room FOR NO KEY UPDATE;
	IF v_room.takes_roles AND NOT v_room.archived THEN
		SELECT r.name INTO v_name FROM roles r WHERE r.id = p_role AND r.owner_id = v_room.owner_id
			AND r.deleted_at IS NULL FOR KEY SHARE;
	END IF;
	IF v_name IS NULL THEN
		RETURN QUERY SELECT * FROM room_done('not_found', NULL, NULL, NULL);
		RETURN;
	END IF;
	INSERT INTO room_roles (room_id, role_id) VALUES (p_room, p_role) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, NULL);
		RETURN;
	END IF;
	UPDATE rooms r SET reply_policy = 'mention' WHERE r.id = p_room AND r.reply_policy IS NULL;
	RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user,
		room_change_add(p_room, 'role_attached', NULL, 'user', p_user, jsonb_build_object('role_id', p_role, 'name', v_name)));
END $$;
COMMENT ON FUNCTION room_take(bigint, bigint, bigint) IS 'A role of the owner joins a room that takes roles, because p_user asked it; if it is the first, the policy is mention: ok, not_found (the room takes none, or not this one)';

CREATE FUNCTION room_turn_roles(p_room bigint, p_asker bigint, p_role bigint)
RETURNS TABLE (role_id bigint, place integer)
LANGUAGE sql STABLE AS $$
	SELECT c.role_id, max(c.place) FROM (
		SELECT rr.role_id, 2 AS place FROM room_roles rr WHERE rr.room_id = p_room
		UNION ALL SELECT r.id, 1 FROM rooms m JOIN roles r ON r.owner_id = m.owner_id AND r.deleted_at IS NULL
			WHERE m.id = p_room AND m.takes_roles
		UNION ALL SELECT r.id, 0 FROM roles r WHERE r.id = p_role AND r.owner_id = p_asker AND r.deleted_at IS NULL) c
	GROUP BY c.role_id
$$;
COMMENT ON FUNCTION room_turn_roles(bigint, bigint, bigint) IS 'Roles that may answer a message: 2 attached, 1 those that the room takes when they are used, 0 the asker''s own p_role';

-- A user may ask a role of their own in any room that they can write to.
CREATE OR REPLACE FUNCTION generation_begin(p_id uuid, p_room bigint, p_role bigint, p_asker bigint, p_reply_to bigint,
	p_upstream text, p_model text, p_host text, p_boot bigint, p_slot integer, p_slot_generation bigint)
RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM room_roles rr WHERE rr.room_id = p_room AND rr.role_id = p_role)
		AND NOT EXISTS (SELECT FROM roles r WHERE r.id = p_role AND r.owner_id = p_asker AND r.deleted_at IS NULL) THEN
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
COMMENT ON FUNCTION generation_begin(uuid, bigint, bigint, bigint, bigint, text, text, text, bigint, integer, bigint) IS 'Takes the place of (room, role): ok, busy (noted as follow-up of the running one), not_found (role neither attached nor the asker''s own)';

CREATE OR REPLACE FUNCTION import_room(p_source text, r jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_at timestamptz := import_time(r, 'created_at');
	v_owner bigint := import_find(p_source, 'user', r ->> 'owner_id');
	v_room bigint;
	v_count bigint;
BEGIN
	PERFORM import_rule(length(r ->> 'name') BETWEEN 1 AND 100, 'name must have 1 to 100 characters');
	PERFORM import_rule(v_at IS NOT NULL, 'created_at is missing: the time of the room, not later than its first message');
	PERFORM import_rule(coalesce(r ->> 'visibility', 'public') IN ('public', 'private'), 'visibility must be public or private');
	PERFORM import_rule(coalesce(r ->> 'reply_policy', 'off') IN ('off', 'mention', 'all'), 'reply_policy must be off, mention or all');
	INSERT INTO rooms (name, owner_id, visibility, reply_policy, created_at, last_at, archived, takes_roles)
	VALUES (r ->> 'name', v_owner, coalesce(r ->> 'visibility', 'public'), r ->> 'reply_policy', v_at, v_at,
		coalesce((r ->> 'archived')::boolean, false), r ->> 'role_ids' IS NULL) RETURNING id INTO v_room;
	INSERT INTO members (room_id, user_id, level, joined_at)
	SELECT v_room, m.id, CASE WHEN m.id = v_owner THEN 'owner' ELSE 'member' END, v_at
	FROM (SELECT v_owner WHERE v_owner IS NOT NULL
		UNION SELECT import_find(p_source, 'user', e) FROM import_list(r, 'member_ids') e) AS m (id);
	INSERT INTO room_roles (room_id, role_id, attached_at)
	SELECT v_room, import_find(p_source, 'role', e), v_at FROM import_list(r, 'role_ids') e;
	PERFORM room_policy_fix(v_room);
	INSERT INTO room_changes (room_id, seq, actor_id, created_at, actor_kind, kind, body)
	SELECT v_room, row_number() OVER (ORDER BY m.level DESC, m.user_id), m.user_id, v_at, 'user', 'joined',
		member_body(m.user_id, m.level) FROM members m WHERE m.room_id = v_room;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	UPDATE rooms o SET last_seq = v_count WHERE o.id = v_room;
	RETURN v_room;
END $$;
