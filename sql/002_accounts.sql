-- SPDX-License-Identifier: ISC
-- Functions of accounts, login sessions and roles. They raise for nothing that a client can cause: the first column of
-- each result is a status. No function is SECURITY DEFINER: rights are the caller's.

CREATE FUNCTION user_create(p_username text, p_email text, p_name text, p_password_hash text, p_access text)
RETURNS TABLE (status text, id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint := nextval(pg_get_serial_sequence('users', 'id'));
BEGIN
	INSERT INTO names (name, kind, id) VALUES (lower(p_username), 'user', v_id) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'taken_name', NULL::bigint;
		RETURN;
	END IF;
	INSERT INTO users (id, username, email, name, password_hash, access) OVERRIDING SYSTEM VALUE
		VALUES (v_id, p_username, p_email, p_name, p_password_hash, p_access) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		DELETE FROM names n WHERE n.kind = 'user' AND n.id = v_id;
		RETURN QUERY SELECT 'taken_email', NULL::bigint;
		RETURN;
	END IF;
	RETURN QUERY SELECT 'ok', v_id;
END $$;
COMMENT ON FUNCTION user_create(text, text, text, text, text) IS 'New account; status ok, taken_name, taken_email';

-- VOLATILE on purpose, like role_row(): they must see what the same statement has just written.
CREATE FUNCTION user_row(p_id bigint) RETURNS SETOF users
LANGUAGE sql VOLATILE AS $$
	SELECT * FROM users u WHERE u.id = p_id
$$;
COMMENT ON FUNCTION user_row(bigint) IS 'One account, as it is after what this statement changed';

CREATE FUNCTION user_patch(p_id bigint, p_email text, p_name text) RETURNS TABLE (status text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_id FOR UPDATE;
	IF NOT FOUND THEN
		status := 'not_found';
		RETURN NEXT;
		RETURN;
	END IF;
	BEGIN
		UPDATE users u SET
			email = CASE WHEN p_email IS NULL THEN u.email ELSE nullif(p_email, '') END,
			name = CASE WHEN p_name IS NULL THEN u.name ELSE nullif(p_name, '') END,
			updated_at = clock_timestamp()
		WHERE u.id = p_id;
	EXCEPTION WHEN unique_violation THEN
		status := 'taken_email';
		RETURN NEXT;
		RETURN;
	END;
	status := 'ok';
	RETURN NEXT;
	RETURN;
END $$;
COMMENT ON FUNCTION user_patch(bigint, text, text) IS 'Changes e-mail address and name (NULL: unchanged, empty: none); ok, not_found, taken_email';

CREATE FUNCTION logins_end(p_user bigint, p_login bigint, p_scope text, p_reason text) RETURNS bigint[]
LANGUAGE sql AS $$
	WITH ended AS (
		UPDATE login_sessions l SET ended_at = clock_timestamp(), end_reason = p_reason
		WHERE l.user_id = p_user AND l.ended_at IS NULL AND l.expires_at > clock_timestamp()
			AND CASE p_scope WHEN 'this' THEN l.id = p_login WHEN 'others' THEN l.id <> p_login ELSE true END
		RETURNING l.id)
	SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM ended
$$;
COMMENT ON FUNCTION logins_end(bigint, bigint, text, text) IS 'Ends login sessions of a user (scope this, others, all); gives their ids';

CREATE FUNCTION login_end(p_login bigint, p_reason text) RETURNS boolean
LANGUAGE sql AS $$
	WITH ended AS (
		UPDATE login_sessions l SET ended_at = clock_timestamp(), end_reason = p_reason
		WHERE l.id = p_login AND l.ended_at IS NULL RETURNING 1)
	SELECT EXISTS (SELECT FROM ended)
$$;
COMMENT ON FUNCTION login_end(bigint, text) IS 'Ends one login session; true when it was alive';

CREATE FUNCTION user_password(p_id bigint, p_hash text, p_keep_login bigint)
RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE users u SET password_hash = p_hash WHERE u.id = p_id;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[];
		RETURN;
	END IF;
	RETURN QUERY SELECT 'ok', logins_end(p_id, p_keep_login, 'others', 'password');
END $$;
COMMENT ON FUNCTION user_password(bigint, text, bigint) IS 'New password: ends all other login sessions and gives their ids';

CREATE FUNCTION user_admin(p_id bigint, p_access text, p_disabled boolean)
RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE users u SET access = coalesce(p_access, u.access), disabled = coalesce(p_disabled, u.disabled),
		updated_at = clock_timestamp()
	WHERE u.id = p_id;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[];
		RETURN;
	END IF;
	RETURN QUERY SELECT 'ok', CASE WHEN p_disabled THEN logins_end(p_id, 0, 'all', 'disabled') ELSE '{}' END;
END $$;
COMMENT ON FUNCTION user_admin(bigint, text, boolean) IS 'Sets access and disabled (NULL: unchanged); disabling ends all login sessions';

CREATE FUNCTION login_create(p_user bigint, p_life interval, p_user_agent text, p_address text)
RETURNS SETOF login_sessions
LANGUAGE sql AS $$
	INSERT INTO login_sessions (user_id, expires_at, user_agent, address)
	SELECT u.id, clock_timestamp() + p_life, p_user_agent, p_address
	FROM users u WHERE u.id = p_user AND NOT u.disabled FOR KEY SHARE
	RETURNING *
$$;
COMMENT ON FUNCTION login_create(bigint, interval, text, text) IS 'A new login session; no row when the user is absent or disabled';

-- The rule of refresh tokens, under the row's lock, so that two tabs at once cannot both win:
--   the current counter                        -> counter + 1 (or the same without rotation)
--   one behind, within the window, and no access token of the current counter was seen yet
--                                              -> the current counter again: the client did not get our last reply,
--                                                 or two tabs refreshed at once
--   anything else                              -> somebody holds an old token: the session ends
CREATE FUNCTION auth_refresh(p_login bigint, p_counter bigint, p_reuse_ms bigint, p_rotate boolean)
RETURNS TABLE (status text, user_id bigint, counter bigint, expires_at timestamptz, access text, username text)
LANGUAGE plpgsql AS $$
DECLARE
	v_login login_sessions;
	v_user users;
	v_now timestamptz;
	v_status text;
BEGIN
	SELECT * INTO v_login FROM login_sessions l WHERE l.id = p_login FOR NO KEY UPDATE;
	v_now := clock_timestamp();
	SELECT * INTO v_user FROM users u WHERE u.id = v_login.user_id;
	IF v_user.id IS NULL OR v_user.disabled OR v_login.ended_at IS NOT NULL OR v_login.expires_at <= v_now THEN
		RETURN QUERY SELECT 'gone', v_user.id, v_login.refresh_counter, v_login.expires_at, v_user.access, v_user.username;
		RETURN;
	END IF;
	IF p_counter = v_login.refresh_counter THEN
		v_status := CASE WHEN p_rotate THEN 'rotated' ELSE 'current' END;
	ELSIF p_counter = v_login.refresh_counter - 1 AND v_login.seen_counter < v_login.refresh_counter
		AND v_login.rotated_at >= v_now - p_reuse_ms * interval '1 ms' THEN
		v_status := 'current';
	ELSE
		v_status := 'reused';
	END IF;
	UPDATE login_sessions l SET
		refresh_counter = l.refresh_counter + (v_status = 'rotated')::int,
		rotated_at = CASE WHEN v_status = 'rotated' THEN v_now ELSE l.rotated_at END,
		last_used_at = CASE WHEN v_status = 'reused' THEN l.last_used_at ELSE v_now END,
		ended_at = CASE WHEN v_status = 'reused' THEN v_now END,
		end_reason = CASE WHEN v_status = 'reused' THEN 'refresh reuse' END
	WHERE l.id = p_login
	RETURNING l.refresh_counter INTO v_login.refresh_counter;
	RETURN QUERY SELECT v_status, v_user.id, v_login.refresh_counter, v_login.expires_at, v_user.access, v_user.username;
END $$;
COMMENT ON FUNCTION auth_refresh(bigint, bigint, bigint, boolean) IS 'Judges a refresh token {login, counter}: rotated, current (allowed reuse), reused (the session was ended just now), gone';

CREATE FUNCTION login_seen(p_login bigint, p_counter bigint) RETURNS boolean
LANGUAGE sql AS $$
	WITH noted AS (
		UPDATE login_sessions l SET seen_counter = p_counter
		WHERE l.id = p_login AND l.seen_counter < p_counter AND p_counter <= l.refresh_counter RETURNING 1)
	SELECT EXISTS (SELECT FROM noted)
$$;
COMMENT ON FUNCTION login_seen(bigint, bigint) IS 'An access token of this counter was used: older refresh tokens are no longer forgiven';

-- Roles

CREATE FUNCTION role_create(p_owner bigint, p_name text, p_instructions text, p_upstream text, p_model text,
	p_temperature double precision, p_max_tokens integer, p_max_per_owner bigint)
RETURNS TABLE (status text, id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint;
BEGIN
	IF p_owner IS NOT NULL THEN
		PERFORM 1 FROM users u WHERE u.id = p_owner FOR NO KEY UPDATE;	-- counts one at a time
		IF NOT FOUND THEN
			RETURN QUERY SELECT 'not_found', NULL::bigint;
			RETURN;
		END IF;
		IF (SELECT count(*) FROM roles r WHERE r.owner_id = p_owner AND r.deleted_at IS NULL) >= p_max_per_owner THEN
			RETURN QUERY SELECT 'limit', NULL::bigint;
			RETURN;
		END IF;
	END IF;
	v_id := nextval(pg_get_serial_sequence('roles', 'id'));
	INSERT INTO names (name, kind, id) VALUES (lower(p_name), 'role', v_id) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'taken_name', NULL::bigint;
		RETURN;
	END IF;
	INSERT INTO roles (id, owner_id, name, instructions, upstream, model, temperature, max_tokens)
		OVERRIDING SYSTEM VALUE
		VALUES (v_id, p_owner, p_name, coalesce(p_instructions, ''), p_upstream, p_model, p_temperature, p_max_tokens);
	RETURN QUERY SELECT 'ok', v_id;
END $$;
COMMENT ON FUNCTION role_create(bigint, text, text, text, text, double precision, integer, bigint) IS 'A new role; status ok, taken_name, limit, not_found (owner)';

CREATE FUNCTION role_row(p_id bigint) RETURNS SETOF roles
LANGUAGE sql VOLATILE AS $$
	SELECT * FROM roles r WHERE r.id = p_id
$$;
COMMENT ON FUNCTION role_row(bigint) IS 'One role, as it is after what this statement changed';

CREATE FUNCTION role_patch(p_id bigint, p_user bigint, p_admin boolean, p_name text, p_instructions text,
	p_upstream text, p_model text, p_set_temperature boolean, p_temperature double precision,
	p_set_max_tokens boolean, p_max_tokens integer)
RETURNS TABLE (status text)
LANGUAGE plpgsql AS $$
DECLARE
	v_role roles;
BEGIN
	SELECT * INTO v_role FROM roles r WHERE r.id = p_id AND r.deleted_at IS NULL FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		status := 'not_found';
		RETURN NEXT;
		RETURN;
	END IF;
	IF NOT p_admin AND v_role.owner_id IS DISTINCT FROM p_user THEN
		status := 'forbidden';
		RETURN NEXT;
		RETURN;
	END IF;
	IF lower(p_name) <> lower(v_role.name) THEN
		INSERT INTO names (name, kind, id) VALUES (lower(p_name), 'role', 0) ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			status := 'taken_name';
			RETURN NEXT;
			RETURN;
		END IF;
		DELETE FROM names n WHERE n.kind = 'role' AND n.id = p_id;
		UPDATE names n SET id = p_id WHERE n.name = lower(p_name);
	END IF;
	UPDATE roles r SET
		name = coalesce(p_name, r.name),
		instructions = coalesce(p_instructions, r.instructions),
		upstream = CASE WHEN p_upstream IS NULL THEN r.upstream ELSE nullif(p_upstream, '') END,
		model = CASE WHEN p_model IS NULL THEN r.model ELSE nullif(p_model, '') END,
		temperature = CASE WHEN p_set_temperature THEN p_temperature ELSE r.temperature END,
		max_tokens = CASE WHEN p_set_max_tokens THEN p_max_tokens ELSE r.max_tokens END,
		updated_at = clock_timestamp()
	WHERE r.id = p_id;
	status := 'ok';
	RETURN NEXT;
	RETURN;
END $$;
COMMENT ON FUNCTION role_patch(bigint, bigint, boolean, text, text, text, text, boolean, double precision, boolean, integer) IS 'Changes a role (NULL: unchanged; empty upstream or model: default); ok, not_found, forbidden, taken_name';
