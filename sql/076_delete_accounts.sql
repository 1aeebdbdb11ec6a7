-- SPDX-License-Identifier: ISC
-- Deletion of accounts. account_delete() makes the account a tombstone at once: nobody can log in to it, and its name is
-- deleted-N. The rest follows in a job of small transactions, account_delete_step().

ALTER TABLE users ADD COLUMN deleted_at timestamptz,
	ADD CONSTRAINT users_deleted CHECK (deleted_at IS NULL
		OR (disabled AND access = 'user' AND email IS NULL AND name IS NULL AND password_hash IS NULL));
COMMENT ON COLUMN users.deleted_at IS 'When the account was deleted. The row stays, because messages show its name: deleted-N; NULL: not deleted';

-- ---- names of deleted accounts ----

CREATE TABLE reserved_names (
	hash        bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
	reserved_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE reserved_names IS 'Names of deleted accounts, as hashes: nobody can take such a name and pass for the person who left, and nobody can read the names here. A guess can be checked, though';
COMMENT ON COLUMN reserved_names.hash IS 'See reserved_hash()';
COMMENT ON COLUMN reserved_names.reserved_at IS 'When the account was deleted';

CREATE FUNCTION reserved_hash(p_name text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT sha256(convert_to('parlour reserved name ' || lower(p_name), 'UTF8'))
$$;
COMMENT ON FUNCTION reserved_hash(text) IS 'Hash of a name in reserved_names, without regard to case';

-- A row that is not inserted looks like a name that is taken, to accounts, roles, and display names alike.
CREATE FUNCTION names_reserved() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF EXISTS (SELECT FROM reserved_names r WHERE r.hash = reserved_hash(NEW.name)) THEN
		RETURN NULL;
	END IF;
	IF NEW.name ~ '^deleted-[0-9]+(-[0-9]+)?$' AND NOT EXISTS (SELECT FROM users u WHERE NEW.kind = 'user' AND u.id = NEW.id
		AND lower(u.username) = NEW.name)
	THEN
		RETURN NULL;
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION names_reserved() IS 'Keeps names of deleted accounts, and names like those of deleted accounts, from being taken';
CREATE TRIGGER names_reserved BEFORE INSERT ON names FOR EACH ROW EXECUTE FUNCTION names_reserved();

CREATE OR REPLACE FUNCTION shown_claim(p_user bigint, p_key text) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	v_name names;
BEGIN
	INSERT INTO names AS n (name, kind, id) VALUES (p_key, 'shown', 0)
		ON CONFLICT (name) DO UPDATE SET id = n.id	-- locks it, so that nobody frees it meanwhile
		RETURNING * INTO v_name;
	RETURN coalesce(v_name.kind = 'shown' OR (v_name.kind = 'user' AND v_name.id = p_user), false);
END $$;

-- ---- no way back ----

-- The deletion has a row of its own in the audit trail.
DROP TRIGGER audit_users_changed ON users;
CREATE TRIGGER audit_users_changed AFTER UPDATE ON users FOR EACH ROW
	WHEN ((OLD.access, OLD.disabled, OLD.password_hash, OLD.email) IS DISTINCT FROM (NEW.access, NEW.disabled, NEW.password_hash, NEW.email)
		AND NEW.deleted_at IS NULL)
	EXECUTE FUNCTION audit_users();

CREATE OR REPLACE FUNCTION admin_may(p_actor bigint, p_id bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_actor text;
	v_other text;
BEGIN
	PERFORM 1 FROM users u WHERE u.access = 'admin' AND NOT u.disabled OR u.id IN (p_actor, p_id) ORDER BY u.id FOR NO KEY UPDATE;
	SELECT u.access INTO v_actor FROM users u WHERE u.id = p_actor AND NOT u.disabled;
	SELECT u.access INTO v_other FROM users u WHERE u.id = p_id AND u.deleted_at IS NULL;
	RETURN CASE WHEN coalesce(access_rank(v_actor), 0) < 3 THEN 'forbidden' WHEN v_other IS NULL THEN 'not_found'
		WHEN v_actor <> 'admin' AND access_rank(v_other) >= access_rank(v_actor) THEN 'not_above' ELSE 'ok' END;
END $$;

CREATE OR REPLACE FUNCTION user_admin(p_id bigint, p_access text, p_disabled boolean)
RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	v_alive bigint[];
BEGIN
	-- in order of the ids, so that of two admins who demote each other one is left
	PERFORM 1 FROM users u WHERE u.access = 'admin' AND NOT u.disabled OR u.id = p_id ORDER BY u.id FOR NO KEY UPDATE;
	IF (p_access <> 'admin' OR p_disabled) AND EXISTS (SELECT FROM users u WHERE u.id = p_id AND u.access = 'admin' AND NOT u.disabled)
		AND NOT EXISTS (SELECT FROM users u WHERE u.id <> p_id AND u.access = 'admin' AND NOT u.disabled)
	THEN
		RETURN QUERY SELECT 'last_admin', '{}'::bigint[];
		RETURN;
	END IF;
	SELECT coalesce(array_agg(l.id), '{}') INTO v_alive FROM login_sessions l WHERE l.user_id = p_id AND l.ended_at IS NULL;
	UPDATE users u SET access = coalesce(p_access, u.access), disabled = coalesce(p_disabled, u.disabled),
		updated_at = clock_timestamp()
	WHERE u.id = p_id AND u.deleted_at IS NULL;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[];
		RETURN;
	END IF;
	RETURN QUERY SELECT 'ok', coalesce(array_agg(l.id ORDER BY l.id), '{}') FROM login_sessions l
		WHERE l.id = ANY (v_alive) AND l.ended_at IS NOT NULL;
END $$;

-- The name of a deleted account may be found, but nobody gives it a password.
CREATE OR REPLACE FUNCTION user_password(p_id bigint, p_hash text, p_keep_login bigint, p_old_hash text DEFAULT NULL)
RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE users u SET password_hash = p_hash, password_changed_at = clock_timestamp()
	WHERE u.id = p_id AND u.deleted_at IS NULL AND (p_old_hash IS NULL OR u.password_hash = p_old_hash);
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[];
		RETURN;
	END IF;
	PERFORM account_tokens_end(p_id);
	RETURN QUERY SELECT 'ok', logins_end(p_id, p_keep_login, 'others', 'password');
END $$;

-- ---- the tombstone ----

-- Jobs of mails to the person. The address is nowhere else once they are gone.
CREATE FUNCTION account_mails_drop(p_user bigint, p_name text, p_email text, p_waiting boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_count bigint;
BEGIN
	DELETE FROM jobs j WHERE (j.state = 'waiting' OR NOT p_waiting) AND CASE j.kind
		WHEN 'mail' THEN j.request_id IS NULL AND j.session_id IS NULL AND lower(j.payload ->> 'to') = lower(p_email)
		WHEN 'account_mail' THEN j.payload ->> 'user' = p_user::text OR lower(j.payload ->> 'to') = lower(p_email)
			OR lower(j.payload ->> 'login') IN (lower(p_name), lower(p_email))
		ELSE false END;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END $$;
COMMENT ON FUNCTION account_mails_drop(bigint, text, text, boolean) IS 'Deletes the jobs of mails to an account, with p_waiting only those that were not begun; gives how many';

-- The deletion itself: p_user is locked, and may be deleted.
CREATE FUNCTION account_bury(p_user users, p_erase boolean) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
	v_alive bigint[];
	v_ended bigint[];
	v_name text := 'deleted-' || p_user.id;
	v_try integer := 1;
BEGIN
	WHILE EXISTS (SELECT FROM names n WHERE n.name = v_name) LOOP	-- somebody's name from before such names were reserved
		v_try := v_try + 1;
		v_name := 'deleted-' || p_user.id || '-' || v_try;
	END LOOP;
	SELECT coalesce(array_agg(l.id), '{}') INTO v_alive FROM login_sessions l WHERE l.user_id = p_user.id AND l.ended_at IS NULL;
	PERFORM second_factor_remove(p_user.id);
	DELETE FROM account_tokens t WHERE t.user_id = p_user.id;
	DELETE FROM login_locks l WHERE l.user_id = p_user.id;
	PERFORM account_mails_drop(p_user.id, p_user.username, p_user.email, true);
	INSERT INTO reserved_names (hash) VALUES (reserved_hash(p_user.username)) ON CONFLICT DO NOTHING;
	UPDATE names n SET name = v_name WHERE n.kind = 'user' AND n.id = p_user.id;
	PERFORM logins_end(p_user.id, 0, 'all', 'disabled');
	UPDATE users u SET username = v_name, email = NULL, name = NULL, password_hash = NULL, access = 'user', disabled = true,
		locale = NULL, timezone = NULL, password_changed_at = clock_timestamp(), updated_at = clock_timestamp(),
		deleted_at = clock_timestamp()
	WHERE u.id = p_user.id;
	PERFORM audit_add('account deleted', 'user:' || p_user.id, jsonb_build_object('access', p_user.access),
		jsonb_build_object('messages', CASE WHEN p_erase THEN 'erase' ELSE 'keep' END), p_user.id);
	-- it takes as long as it takes: the job is never given up
	INSERT INTO jobs (kind, key, lane, payload, give_up_at)
		VALUES ('account_delete', 'user ' || p_user.id, 'accounts', jsonb_build_object('user', p_user.id, 'step', 'leave',
			'erase', p_erase, 'old', jsonb_strip_nulls(jsonb_build_object('name', p_user.username, 'email', p_user.email))),
			clock_timestamp() + interval '10 years');
	SELECT coalesce(array_agg(l.id ORDER BY l.id), '{}') INTO v_ended FROM login_sessions l
		WHERE l.id = ANY (v_alive) AND l.ended_at IS NOT NULL;
	RETURN v_ended;
END $$;
COMMENT ON FUNCTION account_bury(users, boolean) IS 'Makes an account a tombstone, ends its login sessions (the result), and queues the rest; p_erase: also empty what the person wrote';

CREATE FUNCTION account_last_admin(p_id bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM users u WHERE u.id = p_id AND u.access = 'admin' AND NOT u.disabled)
		AND NOT EXISTS (SELECT FROM users u WHERE u.id <> p_id AND u.access = 'admin' AND NOT u.disabled)
$$;
COMMENT ON FUNCTION account_last_admin(bigint) IS 'Is this the only admin who can log in?';

-- p_hash: the hash that the given password fits. The proof counts only when a second factor is on.
CREATE FUNCTION account_delete_own(p_id bigint, p_hash text, p_sealed bytea, p_step bigint, p_recovery bytea, p_erase boolean)
RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	v_user users;
BEGIN
	PERFORM 1 FROM users u WHERE u.access = 'admin' AND NOT u.disabled OR u.id = p_id ORDER BY u.id FOR NO KEY UPDATE;
	SELECT * INTO v_user FROM users u WHERE u.id = p_id AND NOT u.disabled AND u.password_hash = p_hash;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[];
	ELSIF account_last_admin(p_id) THEN
		RETURN QUERY SELECT 'last_admin', '{}'::bigint[];
	ELSIF v_user.second_factor AND NOT second_factor_take(p_id, p_sealed, p_step, p_recovery) THEN
		RETURN QUERY SELECT 'wrong', '{}'::bigint[];
	ELSE
		RETURN QUERY SELECT 'ok', account_bury(v_user, p_erase);
	END IF;
END $$;
COMMENT ON FUNCTION account_delete_own(bigint, text, bytea, bigint, bytea, boolean) IS 'Deletes the account of the caller: ok with the login sessions that ended, not_found (gone, disabled, or another password by now), last_admin, wrong (the code)';

-- p_actor 0: parlourctl.
CREATE FUNCTION account_delete(p_actor bigint, p_id bigint, p_erase boolean) RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := 'ok';
	v_user users;
BEGIN
	IF p_actor <> 0 THEN
		v_status := admin_may(p_actor, p_id);
	ELSE
		PERFORM 1 FROM users u WHERE u.access = 'admin' AND NOT u.disabled OR u.id = p_id ORDER BY u.id FOR NO KEY UPDATE;
	END IF;
	SELECT * INTO v_user FROM users u WHERE u.id = p_id AND u.deleted_at IS NULL;
	IF v_status = 'ok' AND NOT FOUND THEN
		v_status := 'not_found';
	ELSIF v_status = 'ok' AND p_actor = p_id THEN
		v_status := 'own_account';
	ELSIF v_status = 'ok' AND account_last_admin(p_id) THEN
		v_status := 'last_admin';
	END IF;
	IF v_status = 'ok' THEN
		RETURN QUERY SELECT 'ok', account_bury(v_user, p_erase);
	ELSE
		RETURN QUERY SELECT v_status, '{}'::bigint[];
	END IF;
END $$;
COMMENT ON FUNCTION account_delete(bigint, bigint, boolean) IS 'Deletes an account on behalf of an operator or admin, or of parlourctl (0): ok with the login sessions that ended, forbidden, not_found, not_above, own_account (that takes the password), last_admin';

-- ---- what follows ----

CREATE INDEX room_changes_member ON room_changes ((body ->> 'user_id'), room_id, seq)
	WHERE kind IN ('joined', 'left', 'member_level');
COMMENT ON INDEX room_changes_member IS 'Entries of room logs that name a user, for the deletion of accounts';

-- The person leaves a room. One that nobody else owns passes to the moderator who is in it for the longest time, else to
-- such a member; without one it is archived.
CREATE FUNCTION account_leave(p_user bigint, p_room bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	v_level text;
	v_heir bigint;
BEGIN
	PERFORM 1 FROM rooms r WHERE r.id = p_room FOR NO KEY UPDATE;
	SELECT m.level INTO v_level FROM members m WHERE m.room_id = p_room AND m.user_id = p_user;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF last_owner(p_room, p_user) THEN
		SELECT m.user_id INTO v_heir FROM members m JOIN users u ON u.id = m.user_id
			WHERE m.room_id = p_room AND m.user_id <> p_user AND NOT u.disabled
			ORDER BY level_rank(m.level) DESC, m.joined_at, m.user_id LIMIT 1;
		IF FOUND THEN
			UPDATE members m SET level = 'owner' WHERE m.room_id = p_room AND m.user_id = v_heir;
			PERFORM room_change_add(p_room, 'member_level', NULL, 'user', p_user, member_body(v_heir, 'owner'));
		ELSE
			UPDATE rooms r SET archived = true WHERE r.id = p_room AND NOT r.archived;
			IF FOUND THEN
				PERFORM room_change_add(p_room, 'room_changed', NULL, 'user', p_user, '{"archived": true}');
			END IF;
		END IF;
	END IF;
	DELETE FROM members m WHERE m.room_id = p_room AND m.user_id = p_user;
	PERFORM room_change_add(p_room, 'left', NULL, 'user', p_user, member_body(p_user, v_level));
END $$;
COMMENT ON FUNCTION account_leave(bigint, bigint) IS 'A deleted user leaves a room, which gets another owner, or is archived';

-- Old entries of room logs say deleted-N, too; at most p_limit from a place on. NULL: there are no more.
CREATE FUNCTION account_unname(p_user bigint, p_room bigint, p_seq bigint, p_limit integer, OUT room bigint, OUT seq bigint)
RETURNS record
LANGUAGE sql AS $$
	WITH found AS (
		SELECT c.room_id, c.seq FROM room_changes c WHERE c.kind IN ('joined', 'left', 'member_level')
			AND c.body ->> 'user_id' = p_user::text AND (c.room_id, c.seq) > (p_room, p_seq)
			ORDER BY c.room_id, c.seq LIMIT p_limit
	), named AS (
		UPDATE room_changes c SET body = jsonb_set(c.body, '{username}', to_jsonb(u.username)) FROM found s, users u
		WHERE u.id = p_user AND c.room_id = s.room_id AND c.seq = s.seq AND c.body ->> 'username' <> u.username
	)
	SELECT s.room_id, s.seq FROM found s ORDER BY s.room_id DESC, s.seq DESC LIMIT 1
$$;
COMMENT ON FUNCTION account_unname(bigint, bigint, bigint, integer) IS 'Replaces the name of a deleted user in entries of room logs behind a place; gives the last place';

-- Empties one message as its author would: everybody who has it hears of it, and the log stays dense.
CREATE FUNCTION account_empty(p_user bigint, p_message messages) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE messages m SET content = '', meta = NULL, reasoning = NULL, deleted_at = clock_timestamp(),
		client_id = 'deleted-' || m.seq WHERE m.room_id = p_message.room_id AND m.seq = p_message.seq;
	DELETE FROM message_versions v WHERE v.room_id = p_message.room_id AND v.seq = p_message.seq;
	UPDATE room_changes c SET body = NULL
		WHERE c.room_id = p_message.room_id AND c.seq > p_message.seq AND c.target_seq = p_message.seq AND c.kind = 'edited';
	PERFORM room_change_add(p_message.room_id, 'deleted', p_message.seq, 'user', p_user, NULL);
END $$;
COMMENT ON FUNCTION account_empty(bigint, messages) IS 'Deletes the content of one message on behalf of a deleted user';

-- p_limit messages of one room, and answers to them. false: there are no more.
CREATE FUNCTION account_empty_room(p_user bigint, p_room bigint, p_limit integer) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	v messages;
	v_count integer := 0;
BEGIN
	PERFORM 1 FROM rooms r WHERE r.id = p_room FOR NO KEY UPDATE;
	FOR v IN SELECT m.* FROM messages m WHERE m.room_id = p_room AND m.author_kind = 'user' AND m.author_id = p_user
		AND m.deleted_at IS NULL LIMIT p_limit
	LOOP
		PERFORM account_empty(p_user, v);
		v_count := v_count + 1;
	END LOOP;
	FOR v IN SELECT m.* FROM generations g JOIN messages m ON m.generation_id = g.id
		WHERE g.room_id = p_room AND g.asker_id = p_user AND m.deleted_at IS NULL LIMIT p_limit - v_count
	LOOP
		PERFORM account_empty(p_user, v);
		v_count := v_count + 1;
	END LOOP;
	UPDATE generations g SET partial = NULL, error_detail = NULL WHERE g.room_id = p_room AND g.asker_id = p_user
		AND (g.partial IS NOT NULL OR g.error_detail IS NOT NULL);
	RETURN v_count = p_limit;
END $$;
COMMENT ON FUNCTION account_empty_room(bigint, bigint, integer) IS 'Empties messages of a deleted user in a room, and the answers of roles to them; gives whether there may be more';

CREATE FUNCTION account_empty_session(p_session uuid) RETURNS void
LANGUAGE sql AS $$
	UPDATE session_messages m SET content = '', citations = NULL, reasoning = NULL WHERE m.session_id = p_session;
	DELETE FROM session_slots s WHERE s.session_id = p_session;
	DELETE FROM session_questions q WHERE q.session_id = p_session;
	DELETE FROM jobs j WHERE j.session_id = p_session;
	UPDATE sessions s SET state = CASE WHEN s.state = 'open' THEN 'ended' ELSE s.state END, form_pending = NULL, lead_mail = NULL,
		ended_at = coalesce(s.ended_at, clock_timestamp()), developer = NULL, meta = s.meta - 'repo_slug' WHERE s.id = p_session;
$$;
COMMENT ON FUNCTION account_empty_session(uuid) IS 'Empties a chat session of a deleted user. Its figures stay';

-- What the person asked people, and answered them.
CREATE FUNCTION account_empty_requests(p_user bigint, p_name text, p_erase boolean, p_limit integer) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	v feedback_requests;
	v_count integer := 0;
BEGIN
	FOR v IN SELECT r.* FROM feedback_requests r WHERE (r.asker_id = p_user OR r.asked_id = p_user)
		AND r.status IN ('created', 'sent') LIMIT p_limit
	LOOP
		PERFORM feedback_request_end(v.id, 'cancelled', NULL, NULL, NULL, NULL, NULL);
		v_count := v_count + 1;
	END LOOP;
	UPDATE feedback_requests r SET destination = p_name WHERE r.asked_id = p_user AND r.destination <> p_name;
	IF p_erase THEN
		UPDATE feedback_requests r SET question = '', context = NULL, options = NULL, state = NULL, answer = NULL, comment = NULL
			WHERE r.asker_id = p_user AND (r.question <> '' OR r.context IS NOT NULL OR r.state IS NOT NULL);
		UPDATE feedback_requests r SET answer = NULL, comment = NULL
			WHERE r.answered_by = p_user AND (r.answer IS NOT NULL OR r.comment IS NOT NULL);
		DELETE FROM jobs j USING feedback_requests r WHERE j.request_id = r.id AND r.asker_id = p_user;
	END IF;
	RETURN v_count = p_limit;
END $$;
COMMENT ON FUNCTION account_empty_requests(bigint, text, boolean, integer) IS 'Cancels open feedback requests from and to a deleted user; p_erase: empties those from the user, and the answers of the user';

-- Rows that are only about the person: tables whose rows go with an account (ON DELETE CASCADE), also those of later
-- migrations. The listed ones keep theirs.
CREATE FUNCTION account_rows_drop(p_user bigint, p_limit integer) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	v record;
	v_count bigint;
BEGIN
	FOR v IN SELECT c.conrelid::regclass AS held, a.attname AS key FROM pg_constraint c
		JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
		WHERE c.contype = 'f' AND c.confrelid = 'users'::regclass AND c.confdeltype = 'c' AND c.conrelid <> ALL (ARRAY['members',
			'login_sessions', 'sessions', 'feedback', 'feedback_requests']::regclass[]) ORDER BY 1, 2
	LOOP
		EXECUTE format('DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM %1$s t WHERE t.%2$I = $1 LIMIT $2))', v.held, v.key)
			USING p_user, p_limit;
		GET DIAGNOSTICS v_count = ROW_COUNT;
		IF v_count = p_limit THEN
			RETURN true;
		END IF;
	END LOOP;
	DELETE FROM idempotency_keys k WHERE k.user_id = p_user;
	DELETE FROM limit_hits h WHERE h.user_id = p_user;
	UPDATE login_sessions l SET user_agent = NULL, address = NULL WHERE l.user_id = p_user
		AND (l.user_agent IS NOT NULL OR l.address IS NOT NULL);
	UPDATE login_sessions l SET name = 'deleted', key_prefix = 'deleted', key_hash = sha256(convert_to('deleted ' || l.id, 'UTF8'))
		WHERE l.user_id = p_user AND l.kind = 'key' AND l.name <> 'deleted';
	RETURN false;
END $$;
COMMENT ON FUNCTION account_rows_drop(bigint, integer) IS 'Deletes the rows that are only about a deleted user, and what its ended logins and API keys tell; gives whether there are more. Ended logins stay until their tokens have expired';

-- The old name where it stands as a text. p_name: deleted-N.
CREATE FUNCTION account_name_drop(p_user bigint, p_name text, p_old text, p_email text) RETURNS void
LANGUAGE sql AS $$
	-- replies that are kept for a retry: one that created something is made anew from what is there now
	UPDATE idempotency_keys k SET status = NULL, body = NULL WHERE k.made IS NOT NULL
		AND (strpos(lower(k.body), lower(p_old)) > 0 OR strpos(lower(k.body), lower(p_email)) > 0);
	DELETE FROM idempotency_keys k WHERE k.made IS NULL
		AND (strpos(lower(k.body), lower(p_old)) > 0 OR strpos(lower(k.body), lower(p_email)) > 0);
	UPDATE sessions s SET developer = p_name WHERE lower(s.developer) = lower(p_old) AND s.developer IS NOT NULL;
	UPDATE usage_series s SET developer = p_name WHERE lower(s.developer) = lower(p_old);
	DELETE FROM import_ids i WHERE i.kind = 'user' AND i.new_id = p_user AND lower(i.old_id) IN (lower(p_old), lower(p_email));
	SELECT account_mails_drop(p_user, p_old, p_email, false);
$$;
COMMENT ON FUNCTION account_name_drop(bigint, text, text, text) IS 'Removes name and address of a deleted user from replies kept for retries, imported usage data, and finished mails';

-- Roles that take part in no room go; in the others, the rooms decide.
CREATE FUNCTION account_roles_drop(p_user bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	v bigint;
BEGIN
	FOR v IN SELECT r.id FROM roles r WHERE r.owner_id = p_user AND r.deleted_at IS NULL
		AND NOT EXISTS (SELECT FROM room_roles rr WHERE rr.role_id = r.id) ORDER BY 1
	LOOP
		PERFORM role_delete(v, p_user, false);
	END LOOP;
	UPDATE roles r SET instructions = '', description = NULL WHERE r.owner_id = p_user AND r.deleted_at IS NOT NULL
		AND (r.instructions <> '' OR r.description IS NOT NULL);
END $$;
COMMENT ON FUNCTION account_roles_drop(bigint) IS 'Deletes the AI roles of a deleted user that take part in no room, and the instructions of all deleted ones';

-- Chat sessions that still have something of the person.
CREATE FUNCTION account_sessions(p_user bigint, p_limit integer) RETURNS SETOF uuid
LANGUAGE sql STABLE AS $$
	SELECT s.id FROM sessions s WHERE s.user_id = p_user AND (s.developer IS NOT NULL OR s.form_pending IS NOT NULL
		OR s.lead_mail IS NOT NULL OR s.state = 'open' OR s.meta ? 'repo_slug'
		OR EXISTS (SELECT FROM session_messages m WHERE m.session_id = s.id AND m.content <> '')
		OR EXISTS (SELECT FROM session_slots t WHERE t.session_id = s.id)) LIMIT p_limit
$$;
COMMENT ON FUNCTION account_sessions(bigint, integer) IS 'Chat sessions of a deleted user that are not empty yet';

-- The next room behind p_room with words of the person, or with answers to them.
CREATE FUNCTION account_room_next(p_user bigint, p_room bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT r.id FROM rooms r WHERE r.id > p_room
		AND (EXISTS (SELECT FROM messages m WHERE m.room_id = r.id AND m.author_kind = 'user' AND m.author_id = p_user
			AND m.deleted_at IS NULL)
		OR EXISTS (SELECT FROM generations g WHERE g.room_id = r.id AND g.asker_id = p_user)) ORDER BY r.id LIMIT 1
$$;
COMMENT ON FUNCTION account_room_next(bigint, bigint) IS 'The next room that has messages of a deleted user, or answers to them; NULL: none';

-- Answers that are being written now will be stored.
CREATE FUNCTION account_answered(p_user bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM generations g WHERE g.state IN ('queued', 'running') AND p_user IN (g.asker_id, g.follow_up_asker))
		OR EXISTS (SELECT FROM session_questions q JOIN sessions s ON s.id = q.session_id WHERE s.user_id = p_user)
$$;
COMMENT ON FUNCTION account_answered(bigint) IS 'Is an answer to a deleted user being written?';

-- The rest of a job, later: it is committed with the end of the part before it.
CREATE FUNCTION account_delete_later(p_job jobs, p_step text, p_at timestamptz) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO jobs (kind, key, lane, payload, give_up_at, due_at)
	SELECT p_job.kind, format('user %s part %s', p_job.payload ->> 'user', n.part), p_job.lane,
		p_job.payload || jsonb_build_object('step', p_step, 'part', n.part), p_job.give_up_at, p_at
	FROM (SELECT coalesce((p_job.payload ->> 'part')::integer, 1) + 1 AS part) n
$$;
COMMENT ON FUNCTION account_delete_later(jobs, text, timestamptz) IS 'Queues the next part of the deletion of an account';

-- What is done at one step. p_payload: of the job, with the place within the step. more: the same step again.
CREATE FUNCTION account_delete_do(p_user bigint, p_step text, INOUT p_payload jsonb, OUT more boolean) RETURNS record
LANGUAGE plpgsql AS $$
DECLARE
	v_name text := (SELECT u.username FROM users u WHERE u.id = p_user);
	v_erase boolean := (p_payload ->> 'erase')::boolean;
	v_at record;
	v_id bigint;
	v_session uuid;
BEGIN
	more := false;
	CASE p_step
	WHEN 'leave', 'rooms' THEN
		SELECT min(m.room_id) INTO v_id FROM members m WHERE m.user_id = p_user;
		more := v_id IS NOT NULL;
		PERFORM account_leave(p_user, v_id);
	WHEN 'roles' THEN
		PERFORM account_roles_drop(p_user);
	WHEN 'changes' THEN
		SELECT * INTO v_at FROM account_unname(p_user, coalesce((p_payload ->> 'room')::bigint, 0),
			coalesce((p_payload ->> 'seq')::bigint, 0), 500);
		more := v_at.room IS NOT NULL;
		p_payload := p_payload - '{room,seq}'::text[] || CASE WHEN more
			THEN jsonb_build_object('room', v_at.room, 'seq', v_at.seq) ELSE '{}' END;
	WHEN 'messages' THEN
		v_id := CASE WHEN v_erase THEN account_room_next(p_user, coalesce((p_payload ->> 'room')::bigint, 0)) END;
		more := v_id IS NOT NULL;
		p_payload := p_payload - 'room' || CASE WHEN more THEN jsonb_build_object('room',
			v_id - CASE WHEN account_empty_room(p_user, v_id, 100) THEN 1 ELSE 0 END) ELSE '{}' END;
	WHEN 'sessions' THEN
		FOR v_session IN SELECT s FROM account_sessions(p_user, 20) s WHERE v_erase LOOP
			PERFORM account_empty_session(v_session);
			more := true;
		END LOOP;
	WHEN 'requests' THEN
		more := account_empty_requests(p_user, v_name, v_erase, 200);
		UPDATE feedback f SET comment = NULL WHERE v_erase AND f.user_id = p_user AND f.comment IS NOT NULL;
	WHEN 'rows' THEN
		more := account_rows_drop(p_user, 1000);
	WHEN 'name' THEN
		PERFORM account_name_drop(p_user, v_name, p_payload #>> '{old,name}', p_payload #>> '{old,email}');
	END CASE;
END $$;
COMMENT ON FUNCTION account_delete_do(bigint, text, jsonb) IS 'The next batch of one step of the deletion of an account';

-- The next part of the job, in a transaction of its own. Its place is in the payload: the job goes on there after a crash.
CREATE FUNCTION account_delete_step(p_job uuid) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	c_steps CONSTANT text[] := ARRAY['leave', 'settle', 'rooms', 'roles', 'changes', 'messages', 'sessions', 'requests', 'rows',
		'name', 'end'];
	v_job jobs;
	v_did record;
	v_user bigint;
	v_deleted timestamptz;
	v_step text;
BEGIN
	SELECT * INTO v_job FROM jobs j WHERE j.id = p_job AND j.kind = 'account_delete' AND j.state IN ('waiting', 'running') FOR UPDATE;
	IF NOT FOUND OR NOT v_job.payload ? 'step' THEN
		RETURN 'done';
	END IF;
	v_user := (v_job.payload ->> 'user')::bigint;
	v_step := v_job.payload ->> 'step';
	SELECT u.deleted_at INTO v_deleted FROM users u WHERE u.id = v_user;
	PERFORM set_config('parlour.caller', v_user || ' - -', true);	-- the person leaves; nobody is removed
	IF v_step = 'settle' THEN	-- requests that were under way have ended by then
		IF clock_timestamp() < v_deleted + interval '10 seconds' THEN
			PERFORM account_delete_later(v_job, 'settle', v_deleted + interval '10 seconds');
			v_step := 'end';
		ELSIF account_answered(v_user) THEN
			PERFORM account_delete_later(v_job, 'settle', clock_timestamp() + interval '2 seconds');
			v_step := 'end';
		ELSE
			v_step := 'rooms';
		END IF;
	ELSE
		SELECT * INTO v_did FROM account_delete_do(v_user, v_step, v_job.payload);
		v_job.payload := v_did.p_payload;
		v_step := CASE WHEN v_did.more THEN v_step ELSE c_steps[array_position(c_steps, v_step) + 1] END;
	END IF;
	-- the old name and address are not kept longer than the job needs them
	UPDATE jobs j SET payload = CASE WHEN v_step = 'end' THEN jsonb_build_object('user', v_user)
		ELSE v_job.payload || jsonb_build_object('step', v_step) END WHERE j.id = p_job;
	RETURN CASE WHEN v_step = 'end' THEN 'done' ELSE 'more' END;
END $$;
COMMENT ON FUNCTION account_delete_step(uuid) IS 'The next part of the deletion of an account: more, done';
