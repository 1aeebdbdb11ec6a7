-- SPDX-License-Identifier: ISC
-- Invites: links that let people register, or join a room, or both. A use and what it makes (the account, the membership)
-- are one transaction.

CREATE TABLE invites (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
	creator_id bigint REFERENCES users ON DELETE CASCADE,
	room_id    bigint REFERENCES rooms ON DELETE CASCADE,
	level      text CHECK (level IN ('member', 'moderator', 'owner')),
	note       text CHECK (length(note) BETWEEN 1 AND 200),
	max_uses   integer NOT NULL CHECK (max_uses BETWEEN 1 AND 10000),
	uses       integer NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires_at timestamptz NOT NULL,
	revoked_at timestamptz,
	CHECK (uses BETWEEN 0 AND max_uses),
	CHECK ((room_id IS NULL) = (level IS NULL))
);
CREATE INDEX invites_creator ON invites (creator_id, id);
CREATE INDEX invites_room ON invites (room_id) WHERE room_id IS NOT NULL;
COMMENT ON TABLE invites IS 'Invites to register or to join a room';
COMMENT ON COLUMN invites.id IS 'Number of the invite';
COMMENT ON COLUMN invites.token_hash IS 'SHA-256 of the token; the token itself is only in the reply to its creator';
COMMENT ON COLUMN invites.creator_id IS 'User who created it, whose rights are checked again at each use; NULL: the operator, with parlourctl';
COMMENT ON COLUMN invites.room_id IS 'Room that the invited people join; NULL: none';
COMMENT ON COLUMN invites.level IS 'Level that they get in the room';
COMMENT ON COLUMN invites.note IS 'Note of its creator';
COMMENT ON COLUMN invites.max_uses IS 'How many people may use it';
COMMENT ON COLUMN invites.uses IS 'How many people have used it';
COMMENT ON COLUMN invites.created_at IS 'When it was created';
COMMENT ON COLUMN invites.expires_at IS 'When it expires';
COMMENT ON COLUMN invites.revoked_at IS 'When it was revoked; NULL: it was not';

CREATE TABLE invite_uses (
	invite_id  bigint NOT NULL REFERENCES invites ON DELETE CASCADE,
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	used_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	registered boolean NOT NULL,
	PRIMARY KEY (invite_id, user_id)
);
CREATE TRIGGER once AFTER INSERT ON invites FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/invites') EXECUTE FUNCTION idem_made('id');
CREATE INDEX invite_uses_user ON invite_uses (user_id);
COMMENT ON TABLE invite_uses IS 'Who used which invite; each user uses an invite at most once';
COMMENT ON COLUMN invite_uses.invite_id IS 'The invite';
COMMENT ON COLUMN invite_uses.user_id IS 'The user who used it';
COMMENT ON COLUMN invite_uses.used_at IS 'When it was used';
COMMENT ON COLUMN invite_uses.registered IS 'true: the account was created with it; false: an account that existed joined the room';

-- p_access: setting invite_access.
CREATE FUNCTION invite_registers(p_creator bigint, p_access text) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT p_creator IS NULL OR EXISTS (SELECT FROM users u WHERE u.id = p_creator AND NOT u.disabled
		AND array_position(ARRAY['user', 'analyst', 'operator', 'admin'], u.access)
			>= array_position(ARRAY['user', 'analyst', 'operator', 'admin'], p_access))
$$;
COMMENT ON FUNCTION invite_registers(bigint, text) IS 'May people register with invites of this user (NULL: the operator)? p_access: setting invite_access';

CREATE FUNCTION invite_allowed(p_creator bigint, p_room bigint, p_level text, p_access text) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN p_room IS NULL THEN invite_registers(p_creator, p_access) ELSE EXISTS (SELECT FROM rooms r
		WHERE r.id = p_room AND NOT r.archived) AND (p_creator IS NULL OR EXISTS (SELECT FROM users u
			WHERE u.id = p_creator AND NOT u.disabled AND (u.access = 'admin' OR level_rank((SELECT m.level FROM members m
				WHERE m.room_id = p_room AND m.user_id = p_creator)) >= greatest(2, level_rank(p_level))))) END
$$;
COMMENT ON FUNCTION invite_allowed(bigint, bigint, text, text) IS 'May this user (NULL: the operator) give invites into this room at this level, or without a room?';

CREATE FUNCTION invite_state(p_invite invites, p_access text) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN p_invite.revoked_at IS NOT NULL THEN 'revoked' WHEN p_invite.uses >= p_invite.max_uses THEN 'used'
		WHEN p_invite.expires_at <= clock_timestamp() THEN 'expired'
		WHEN NOT invite_allowed(p_invite.creator_id, p_invite.room_id, p_invite.level, p_access) THEN 'void' ELSE 'open' END
$$;
COMMENT ON FUNCTION invite_state(invites, text) IS 'open, used (by as many as may), revoked, expired, or void (its creator may no longer invite, or the room is archived)';

CREATE FUNCTION invite_create(p_user bigint, p_room bigint, p_level text, p_uses integer, p_life_s bigint, p_note text,
	p_token_hash bytea, p_access text, p_max bigint)
RETURNS TABLE (status text, id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_admin boolean := p_user IS NULL OR coalesce((SELECT u.access = 'admin' FROM users u WHERE u.id = p_user AND NOT u.disabled), false);
	v_level text := CASE WHEN p_room IS NOT NULL THEN coalesce(p_level, 'member') END;
	v_status text := 'ok';
	v_id bigint;
BEGIN
	IF p_room IS NOT NULL THEN
		v_status := room_lock(p_room, coalesce(p_user, 0), v_admin, 2, false);
	END IF;
	IF v_status = 'ok' AND NOT invite_allowed(p_user, p_room, v_level, p_access) THEN
		v_status := 'forbidden';
	END IF;
	IF v_status = 'ok' AND p_user IS NOT NULL THEN
		PERFORM 1 FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;	-- counts one at a time
		IF (SELECT count(*) FROM invites i WHERE i.creator_id = p_user AND i.revoked_at IS NULL AND i.uses < i.max_uses
			AND i.expires_at > clock_timestamp()) >= p_max THEN
			v_status := 'limit';
		END IF;
	END IF;
	IF v_status <> 'ok' THEN
		RETURN QUERY SELECT v_status, NULL::bigint;
		RETURN;
	END IF;
	DELETE FROM invites i WHERE i.creator_id IS NOT DISTINCT FROM p_user
		AND least(i.expires_at, i.revoked_at) < clock_timestamp() - interval '90 days';
	INSERT INTO invites AS i (token_hash, creator_id, room_id, level, note, max_uses, expires_at) VALUES (p_token_hash, p_user,
		p_room, v_level, p_note, p_uses, clock_timestamp() + p_life_s * interval '1 s') RETURNING i.id INTO v_id;
	PERFORM audit_add('invite created', 'invite:' || v_id, NULL, jsonb_strip_nulls(jsonb_build_object('room', p_room, 'level', v_level,
		'uses', p_uses, 'seconds', p_life_s)));
	RETURN QUERY SELECT 'ok', v_id;
END $$;
COMMENT ON FUNCTION invite_create(bigint, bigint, text, integer, bigint, text, bytea, text, bigint) IS 'A new invite of a user (NULL: the operator); ok, not_found (the room), forbidden, archived, limit. Deletes those of the same creator that ended 90 days ago';

CREATE FUNCTION invite_renew(p_id bigint, p_user bigint, p_token_hash bytea) RETURNS text
LANGUAGE sql AS $$
	WITH renewed AS (UPDATE invites i SET token_hash = p_token_hash WHERE i.id = p_id AND i.creator_id = p_user RETURNING 1)
	SELECT CASE WHEN EXISTS (SELECT FROM renewed) THEN 'ok' ELSE 'not_found' END
$$;
COMMENT ON FUNCTION invite_renew(bigint, bigint, bytea) IS 'Another token for an invite whose first one was lost with the reply: ok, not_found';

CREATE FUNCTION invite_revoke(p_id bigint, p_user bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v invites;
BEGIN
	SELECT i.* INTO v FROM invites i WHERE i.id = p_id AND (p_user IS NULL OR i.creator_id = p_user
		OR EXISTS (SELECT FROM users u WHERE u.id = p_user AND u.access = 'admin' AND NOT u.disabled)) FOR NO KEY UPDATE;
	IF v.id IS NULL THEN
		RETURN 'not_found';
	END IF;
	IF v.revoked_at IS NULL THEN
		UPDATE invites i SET revoked_at = clock_timestamp() WHERE i.id = p_id;
		PERFORM audit_add('invite revoked', 'invite:' || p_id);
	END IF;
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION invite_revoke(bigint, bigint) IS 'Revokes an invite: its creator, admins, and the operator (NULL); again: nothing changes. ok, not_found';

-- Rows are locked in the order of all functions: the room first.
CREATE FUNCTION invite_lock(p_token_hash bytea, p_access text, OUT invite invites, OUT state text)
LANGUAGE plpgsql AS $$
BEGIN
	SELECT i.* INTO invite FROM invites i WHERE i.token_hash = p_token_hash;
	PERFORM 1 FROM rooms r WHERE r.id = invite.room_id FOR NO KEY UPDATE;
	SELECT i.* INTO invite FROM invites i WHERE i.token_hash = p_token_hash FOR NO KEY UPDATE;
	state := CASE WHEN invite.id IS NULL THEN 'unknown' ELSE invite_state(invite, p_access) END;
END $$;
COMMENT ON FUNCTION invite_lock(bytea, text) IS 'Locks the invite with this token and its room, and gives its state; unknown: there is none';

CREATE FUNCTION invite_use(p_invite invites, p_user bigint, p_registered boolean)
RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE invites i SET uses = i.uses + 1 WHERE i.id = p_invite.id;
	INSERT INTO invite_uses (invite_id, user_id, registered) VALUES (p_invite.id, p_user, p_registered);
	PERFORM audit_add('invite used', 'invite:' || p_invite.id, NULL, jsonb_build_object('user', p_user), p_user);
	IF p_invite.room_id IS NULL THEN
		RETURN NULL;
	END IF;
	INSERT INTO members (room_id, user_id, level) VALUES (p_invite.room_id, p_user, p_invite.level);
	RETURN room_change_add(p_invite.room_id, 'joined', NULL, 'user', p_user, member_body(p_user, p_invite.level));
END $$;
COMMENT ON FUNCTION invite_use(invites, bigint, boolean) IS 'Counts a use of a locked invite, and lets the user join its room; gives the seq of that, NULL without a room';

CREATE FUNCTION user_register(p_username text, p_email text, p_name text, p_password_hash text, p_access text,
	p_invite_hash bytea, p_invite_access text, p_open boolean)
RETURNS TABLE (status text, id bigint, room_id bigint, seq bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_lock record;
	v_made record;
	v_seq bigint;
BEGIN
	IF p_invite_hash IS NULL THEN
		RETURN QUERY SELECT n.status, n.id, NULL::bigint, NULL::bigint FROM user_create(p_username, p_email, p_name, p_password_hash, p_access) n;
		RETURN;
	END IF;
	SELECT * INTO v_lock FROM invite_lock(p_invite_hash, p_invite_access);
	IF v_lock.state <> 'open' OR NOT (p_open OR invite_registers((v_lock.invite).creator_id, p_invite_access)) THEN
		RETURN QUERY SELECT CASE WHEN v_lock.state = 'open' THEN 'no_newcomers' ELSE 'no_invite' END, NULL::bigint, NULL::bigint, NULL::bigint;
		RETURN;
	END IF;
	SELECT * INTO v_made FROM user_create(p_username, p_email, p_name, p_password_hash, p_access);
	IF v_made.status = 'ok' THEN
		v_seq := invite_use(v_lock.invite, v_made.id, true);
	END IF;
	RETURN QUERY SELECT v_made.status, v_made.id, CASE WHEN v_made.status = 'ok' THEN (v_lock.invite).room_id END, v_seq;
END $$;
COMMENT ON FUNCTION user_register(text, text, text, text, text, bytea, text, boolean) IS 'A new account, with an invite (NULL: without) whose room it joins: as user_create(), no_invite (unknown, or no longer open), no_newcomers (only for people who have an account; p_open: everybody may register)';

-- A repetition after a lost reply is no second use: who has used the invite and is a member gets the room again.
CREATE FUNCTION invite_accept(p_token_hash bytea, p_user bigint, p_access text)
RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_lock record;
	v_room bigint;
	v_used boolean;
BEGIN
	SELECT * INTO v_lock FROM invite_lock(p_token_hash, p_access);
	v_room := (v_lock.invite).room_id;
	v_used := EXISTS (SELECT FROM invite_uses x WHERE x.invite_id = (v_lock.invite).id AND x.user_id = p_user);
	IF (v_lock.state = 'open' OR v_used) AND EXISTS (SELECT FROM members m WHERE m.room_id = v_room AND m.user_id = p_user) THEN
		RETURN QUERY SELECT * FROM room_done('already', v_room, p_user, NULL);
	ELSIF v_lock.state <> 'open' OR v_used THEN
		RETURN QUERY SELECT * FROM room_done('no_invite', NULL, NULL, NULL);
	ELSIF v_room IS NULL THEN
		RETURN QUERY SELECT * FROM room_done('no_room', NULL, NULL, NULL);
	ELSE
		RETURN QUERY SELECT * FROM room_done('joined', v_room, p_user, invite_use(v_lock.invite, p_user, false));
	END IF;
END $$;
COMMENT ON FUNCTION invite_accept(bytea, bigint, text) IS 'An account joins the room of an invite: joined, already (member, at the level that it had), no_invite (unknown, no longer open, or used by this user before), no_room';
