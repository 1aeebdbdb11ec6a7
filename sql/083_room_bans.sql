-- SPDX-License-Identifier: ISC
-- Bans: for a banned user, the room does not exist. Nobody acts on members of an equal or higher level. Ownership can be
-- handed over.

CREATE TABLE room_bans (
	room_id    bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	banned_by  bigint NOT NULL,
	reason     text CHECK (length(reason) BETWEEN 1 AND 500),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (room_id, user_id)
);
CREATE INDEX room_bans_user ON room_bans (user_id);
COMMENT ON TABLE room_bans IS 'Users who are banned from rooms';
COMMENT ON COLUMN room_bans.room_id IS 'Room';
COMMENT ON COLUMN room_bans.user_id IS 'User who is banned, and never a member';
COMMENT ON COLUMN room_bans.banned_by IS 'User who banned: users.id; 0: the system';
COMMENT ON COLUMN room_bans.reason IS 'Reason, for moderators; NULL: none given';
COMMENT ON COLUMN room_bans.created_at IS 'When';

CREATE FUNCTION room_bans_drop() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	DELETE FROM room_bans b WHERE b.user_id = NEW.id;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION room_bans_drop() IS 'Bans of deleted accounts go with them';
CREATE TRIGGER room_bans_drop AFTER UPDATE OF deleted_at ON users
	FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION room_bans_drop();

CREATE FUNCTION room_banned(p_room bigint, p_user bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM room_bans b WHERE b.room_id = p_room AND b.user_id = p_user)
$$;
COMMENT ON FUNCTION room_banned(bigint, bigint) IS 'Is this user banned from the room?';

-- A member is not banned, so that the look at room_bans costs only strangers.
CREATE OR REPLACE FUNCTION room_access(p_room bigint, p_user bigint)
RETURNS TABLE (can_read boolean, can_write boolean, level text, from_seq bigint, last_seq bigint, epoch bigint,
	archived boolean, edits bigint)
LANGUAGE sql STABLE AS $$
	SELECT m.level IS NOT NULL OR (r.visibility = 'public' AND NOT EXISTS (SELECT FROM room_bans b WHERE b.room_id = r.id
			AND b.user_id = p_user)), m.level IS NOT NULL AND NOT r.archived, m.level, 0::bigint,
		r.last_seq, r.epoch, r.archived, r.edits
	FROM rooms r LEFT JOIN members m ON m.room_id = r.id AND m.user_id = p_user WHERE r.id = p_room
$$;

CREATE OR REPLACE FUNCTION room_lock(p_room bigint, p_user bigint, p_admin boolean, p_rank integer, p_archived_too boolean)
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
	IF v_rank = 0 AND (v_room.visibility = 'private' OR room_banned(p_room, p_user)) THEN
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

CREATE OR REPLACE FUNCTION room_join(p_room bigint, p_user bigint) RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_room rooms;
BEGIN
	SELECT * INTO v_room FROM rooms r WHERE r.id = p_room FOR NO KEY UPDATE;
	IF EXISTS (SELECT FROM members m WHERE m.room_id = p_room AND m.user_id = p_user) THEN
		RETURN QUERY SELECT * FROM room_done('already', p_room, p_user, NULL);
		RETURN;
	END IF;
	IF v_room.id IS NULL OR v_room.visibility = 'private' OR room_banned(p_room, p_user)
		OR NOT EXISTS (SELECT FROM users u WHERE u.id = p_user) THEN
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

CREATE OR REPLACE FUNCTION invite_accept(p_token_hash bytea, p_user bigint, p_access text)
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
	ELSIF v_lock.state <> 'open' OR v_used OR room_banned(v_room, p_user) THEN
		RETURN QUERY SELECT * FROM room_done('no_invite', NULL, NULL, NULL);
	ELSIF v_room IS NULL THEN
		RETURN QUERY SELECT * FROM room_done('no_room', NULL, NULL, NULL);
	ELSE
		RETURN QUERY SELECT * FROM room_done('joined', v_room, p_user, invite_use(v_lock.invite, p_user, false));
	END IF;
END $$;

CREATE OR REPLACE FUNCTION room_member_add(p_room bigint, p_user bigint, p_admin boolean, p_other bigint, p_level text)
RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, 2, false);
	v_old text;
	v_own integer;
BEGIN
	IF v_status = 'ok' THEN
		v_own := CASE WHEN p_admin THEN 4 ELSE level_rank((SELECT m.level FROM members m
			WHERE m.room_id = p_room AND m.user_id = p_user)) END;
		SELECT m.level INTO v_old FROM members m WHERE m.room_id = p_room AND m.user_id = p_other;
		IF NOT EXISTS (SELECT FROM users u WHERE u.id = p_other AND NOT u.disabled)
			OR (v_old IS NULL AND NOT p_admin AND user_refuses(p_other, p_user)) THEN
			v_status := 'not_found';
		ELSIF v_old = p_level THEN
			RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, NULL);
			RETURN;
		ELSIF p_user = p_other AND v_old IS NOT NULL AND level_rank(p_level) < level_rank(v_old) THEN
			v_status := CASE WHEN last_owner(p_room, p_other) THEN 'conflict' ELSE 'ok' END;
		ELSIF level_rank(v_old) >= v_own OR (v_own < 3 AND (p_level <> 'member' OR v_old IS NOT NULL)) THEN
			v_status := 'forbidden';
		ELSIF room_banned(p_room, p_other) THEN
			v_status := 'banned';
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
COMMENT ON FUNCTION room_member_add(bigint, bigint, boolean, bigint, text) IS 'Adds a member (moderators) or sets a level (owners, of lower levels; everybody may lower their own); ok, not_found (also who refuses to be added, see user_refuses()), forbidden, archived, banned, conflict (last owner)';

CREATE OR REPLACE FUNCTION room_member_remove(p_room bigint, p_user bigint, p_admin boolean, p_other bigint)
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
		IF NOT v_leave AND NOT p_admin AND level_rank(v_level) >= v_own THEN
			v_status := 'forbidden';
		ELSIF last_owner(p_room, p_other) AND NOT (v_leave AND (SELECT r.archived FROM rooms r WHERE r.id = p_room)) THEN
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
COMMENT ON FUNCTION room_member_remove(bigint, bigint, boolean, bigint) IS 'Removes a member of a lower level, or lets one leave; the last owner can leave an archived room only; ok, not_found, forbidden, conflict (last owner)';
COMMENT ON FUNCTION room_leave(bigint, bigint) IS 'Leaves a room; the last owner only an archived one: ok, not_found, conflict';

-- The entry `left` ends the subscriptions of the user in every worker. It is written for users who are not members, too: they
-- may listen to an archived room.
CREATE FUNCTION room_ban(p_room bigint, p_user bigint, p_admin boolean, p_other bigint, p_reason text)
RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, 2, true);
	v_own integer := CASE WHEN p_admin THEN 4 ELSE level_rank((SELECT m.level FROM members m
		WHERE m.room_id = p_room AND m.user_id = p_user)) END;
	v_level text := (SELECT m.level FROM members m WHERE m.room_id = p_room AND m.user_id = p_other);
BEGIN
	IF v_status = 'ok' THEN
		v_status := CASE WHEN NOT EXISTS (SELECT FROM users u WHERE u.id = p_other AND u.deleted_at IS NULL) THEN 'not_found'
			WHEN p_other = p_user OR level_rank(v_level) >= v_own THEN 'forbidden'
			WHEN last_owner(p_room, p_other) THEN 'conflict' ELSE 'ok' END;
	END IF;
	IF v_status = 'ok' THEN
		INSERT INTO room_bans (room_id, user_id, banned_by, reason) VALUES (p_room, p_other, p_user, p_reason)
			ON CONFLICT (room_id, user_id) DO NOTHING;
		IF NOT FOUND THEN
			UPDATE room_bans b SET reason = p_reason WHERE b.room_id = p_room AND b.user_id = p_other AND p_reason IS NOT NULL;
			RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, NULL);
			RETURN;
		END IF;
	END IF;
	IF v_status <> 'ok' THEN
		RETURN QUERY SELECT * FROM room_done(v_status, NULL, NULL, NULL);
		RETURN;
	END IF;
	DELETE FROM members m WHERE m.room_id = p_room AND m.user_id = p_other;
	PERFORM audit_add('user banned', 'room:' || p_room, NULL, jsonb_build_object('user', p_other));
	RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, room_change_add(p_room, 'left', NULL, 'user', p_user,
		member_body(p_other, v_level) || '{"banned": true}'));
END $$;
COMMENT ON FUNCTION room_ban(bigint, bigint, boolean, bigint, text) IS 'Bans a user of a lower level, member or not; again: only the reason changes; ok, not_found, forbidden, conflict (last owner)';

CREATE FUNCTION room_unban(p_room bigint, p_user bigint, p_admin boolean, p_other bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, 2, true);
BEGIN
	IF v_status = 'ok' THEN
		DELETE FROM room_bans b WHERE b.room_id = p_room AND b.user_id = p_other;
		IF NOT FOUND THEN
			RETURN 'not_found';
		END IF;
		PERFORM audit_add('ban lifted', 'room:' || p_room, jsonb_build_object('user', p_other), NULL);
	END IF;
	RETURN v_status;
END $$;
COMMENT ON FUNCTION room_unban(bigint, bigint, boolean, bigint) IS 'Lifts a ban; the user is not a member afterwards; ok, not_found (also not banned), forbidden';

-- Several entries of the log; the last one is returned, and listeners read the others from the log.
CREATE FUNCTION room_hand_over(p_room bigint, p_user bigint, p_admin boolean, p_other bigint) RETURNS SETOF room_result
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := room_lock(p_room, p_user, p_admin, 3, true);
	v_owner boolean := EXISTS (SELECT FROM members m WHERE m.room_id = p_room AND m.user_id = p_user AND m.level = 'owner');
	v_old text := (SELECT m.level FROM members m JOIN users u ON u.id = m.user_id
		WHERE m.room_id = p_room AND m.user_id = p_other AND NOT u.disabled);
	v_from bigint;
	v_seq bigint;
BEGIN
	IF v_status = 'ok' AND v_old IS NULL THEN
		v_status := 'not_found';
	END IF;
	IF v_status <> 'ok' THEN
		RETURN QUERY SELECT * FROM room_done(v_status, NULL, NULL, NULL);
		RETURN;
	END IF;
	FOR v_from IN SELECT m.user_id FROM members m WHERE m.room_id = p_room AND m.level = 'owner' AND m.user_id <> p_other
		AND p_other <> p_user AND (m.user_id = p_user OR NOT v_owner) ORDER BY m.user_id LOOP
		UPDATE members m SET level = 'moderator' WHERE m.room_id = p_room AND m.user_id = v_from;
		v_seq := room_change_add(p_room, 'member_level', NULL, 'user', p_user, member_body(v_from, 'moderator'));
	END LOOP;
	IF v_old <> 'owner' THEN
		UPDATE members m SET level = 'owner' WHERE m.room_id = p_room AND m.user_id = p_other;
		v_seq := room_change_add(p_room, 'member_level', NULL, 'user', p_user, member_body(p_other, 'owner'));
	END IF;
	RETURN QUERY SELECT * FROM room_done('ok', p_room, p_user, v_seq);
END $$;
COMMENT ON FUNCTION room_hand_over(bigint, bigint, boolean, bigint) IS 'A member becomes owner, and the calling owner moderator; if an admin who is not an owner calls, all other owners become moderators; ok, not_found (also no member), forbidden';

-- Lists and names of rooms leave out those from which the user is banned.
CREATE OR REPLACE FUNCTION list_place(p_list text, p_user bigint, p_id bigint, p_asked boolean, p_status text, p_offset bigint)
RETURNS TABLE (total bigint, last bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_ids text := CASE p_list
		WHEN 'roles' THEN 'SELECT r.id FROM roles r WHERE r.deleted_at IS NULL'
		WHEN 'rooms' THEN 'SELECT r.id FROM rooms r LEFT JOIN members m ON m.room_id = r.id AND m.user_id = $1 '
			|| 'WHERE m.user_id IS NOT NULL OR (r.visibility = ''public'' AND NOT r.archived AND NOT EXISTS '
			|| '(SELECT FROM room_bans b WHERE b.room_id = r.id AND b.user_id = $1))'
		WHEN 'members' THEN 'SELECT m.user_id AS id FROM members m WHERE m.room_id = $2'
		WHEN 'feedback' THEN 'SELECT f.id FROM feedback f WHERE f.user_id = $1'
		WHEN 'requests' THEN 'SELECT -r.number AS id FROM feedback_requests r WHERE '
			|| CASE WHEN p_asked THEN 'r.asked_id' ELSE 'r.asker_id' END || ' = $1 AND ($3 IS NULL OR r.status = $3)'
		WHEN 'knowledge' THEN 'SELECT d.id FROM knowledge_documents d'
		WHEN 'logins' THEN 'SELECT -l.id AS id FROM login_sessions l WHERE l.user_id = $1 AND l.kind = ''login'' '
			|| 'AND l.ended_at IS NULL AND l.expires_at > now()' END;
BEGIN
	RETURN QUERY EXECUTE 'WITH l AS (' || v_ids || ') SELECT (SELECT count(*) FROM l), CASE WHEN $4 = 0 THEN 0 ELSE '
		|| '(SELECT l.id FROM l ORDER BY l.id OFFSET greatest($4 - 1, 0) LIMIT 1) END'
		USING p_user, p_id, p_status, p_offset;
END $$;

CREATE OR REPLACE FUNCTION query_names(p_scope bigint, p_names text[])
RETURNS TABLE (asked text, name text, kind integer)
LANGUAGE sql STABLE AS $$
	SELECT DISTINCT ON (n.asked, k.kind, lower(k.name)) n.asked, k.name, k.kind
	FROM unnest(p_names) n (asked), LATERAL (
		SELECT u.username, 1 FROM users u WHERE lower(u.username) = lower(n.asked) AND (p_scope IS NULL OR u.id = p_scope)
		UNION ALL
		(SELECT s.developer, 1 FROM sessions s WHERE lower(s.developer) = lower(n.asked) AND (p_scope IS NULL OR s.user_id = p_scope)
		LIMIT 1)
		UNION ALL
		SELECT u.username, 1 FROM users u WHERE lower(u.name) = lower(n.asked) AND (p_scope IS NULL OR u.id = p_scope)
			AND NOT EXISTS (SELECT FROM users v WHERE lower(v.username) = lower(n.asked) AND (p_scope IS NULL OR v.id = p_scope))
		UNION ALL
		(SELECT r.name, 2 FROM rooms r WHERE lower(r.name) = lower(n.asked) AND (p_scope IS NULL
			OR (p_scope > 0 AND r.visibility = 'public' AND NOT room_banned(r.id, p_scope))
			OR EXISTS (SELECT FROM members m WHERE m.room_id = r.id AND m.user_id = p_scope)) LIMIT 1)
		UNION ALL
		(SELECT s.model, 3 FROM sessions s WHERE lower(s.model) = lower(n.asked) AND (p_scope IS NULL OR p_scope = 0 OR s.user_id = p_scope) LIMIT 1)
		UNION ALL
		(SELECT g.model, 3 FROM usage g LEFT JOIN rooms r ON r.id = g.room_id WHERE lower(g.model) = lower(n.asked)
			AND (p_scope IS NULL OR g.user_id = p_scope OR (p_scope = 0 AND r.visibility = 'public')) LIMIT 1)
		UNION ALL
		SELECT x.name, 4 FROM roles x WHERE lower(x.name) = lower(n.asked) AND p_scope IS DISTINCT FROM 0
	) k (name, kind)
	ORDER BY n.asked, k.kind, lower(k.name)
$$;

CREATE OR REPLACE FUNCTION digest_make(p_job jobs, OUT action text, OUT lane text, OUT payload jsonb)
LANGUAGE plpgsql AS $$
DECLARE
	v_user users;
	v_lines jsonb;
	v_total bigint;
BEGIN
	action := 'drop';
	SELECT u.* INTO v_user FROM users u WHERE u.id = (p_job.payload ->> 'user')::bigint AND NOT u.disabled
		AND u.email_verified_at IS NOT NULL AND u.email IS NOT NULL;
	IF NOT FOUND OR p_job.give_up_at < clock_timestamp() THEN
		RETURN;
	END IF;
	SELECT sum(g.count), jsonb_agg(jsonb_strip_nulls(jsonb_build_object('kind', g.kind, 'actor', g.actor, 'room', g.room,
			'count', g.count)) ORDER BY g.newest DESC) FILTER (WHERE g.place <= 30)
		INTO v_total, v_lines
		FROM (SELECT n.kind, a.username AS actor, r.name AS room, count(*) AS count, max(n.id) AS newest,
			row_number() OVER (ORDER BY max(n.id) DESC) AS place
		FROM digest_rows(v_user.id, (p_job.payload ->> 'after')::bigint, (p_job.payload ->> 'up_to')::bigint) n
		LEFT JOIN users a ON a.id = n.actor_id
		LEFT JOIN rooms r ON r.id = n.room_id AND ((r.visibility = 'public' AND NOT room_banned(r.id, n.user_id))
			OR EXISTS (SELECT FROM members m WHERE m.room_id = r.id AND m.user_id = n.user_id))
		GROUP BY n.kind, a.username, r.id, r.name) g;
	IF v_total IS NULL THEN
		RETURN;
	END IF;
	action := 'send';
	lane := p_job.lane;
	payload := jsonb_build_object('user', v_user.id, 'to', v_user.email, 'username', v_user.username, 'total', v_total, 'lines', v_lines);
END $$;
