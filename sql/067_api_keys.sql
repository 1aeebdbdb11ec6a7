-- SPDX-License-Identifier: ISC
-- API keys: login sessions that a program uses directly, without a password and without refreshes. Ending one works as
-- for every login session.

ALTER TABLE login_sessions
	ADD COLUMN kind text NOT NULL DEFAULT 'login' CHECK (kind IN ('login', 'key')),
	ADD COLUMN name text CHECK (length(name) BETWEEN 1 AND 64),
	ADD COLUMN key_prefix text,
	ADD COLUMN key_hash bytea CHECK (octet_length(key_hash) = 32),
	ADD COLUMN scopes text[] CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'write', 'chat', 'v1', 'admin']),
	ADD COLUMN key_rate text,
	ADD COLUMN changed_at timestamptz,
	ADD CONSTRAINT login_sessions_key CHECK ((kind = 'key') = (key_hash IS NOT NULL AND name IS NOT NULL
		AND key_prefix IS NOT NULL AND scopes IS NOT NULL)),
	ALTER COLUMN last_used_at DROP NOT NULL;
CREATE UNIQUE INDEX login_sessions_key_hash ON login_sessions (key_hash) WHERE key_hash IS NOT NULL;
CREATE INDEX login_sessions_changed ON login_sessions (changed_at) WHERE changed_at IS NOT NULL;
COMMENT ON TABLE login_sessions IS 'Logins and API keys. Refresh tokens of a login are {id, refresh_counter}, signed, without a row of their own';
COMMENT ON COLUMN login_sessions.kind IS 'login: made by a login. key: an API key';
COMMENT ON COLUMN login_sessions.name IS 'Key: what its owner calls it';
COMMENT ON COLUMN login_sessions.key_prefix IS 'Key: its first characters, by which people recognize it';
COMMENT ON COLUMN login_sessions.key_hash IS 'Key: SHA-256 of the whole key, which is 160 random bits; the key itself is nowhere';
COMMENT ON COLUMN login_sessions.scopes IS 'Key: what it may do: read, write, chat, v1, admin';
COMMENT ON COLUMN login_sessions.key_rate IS 'Key: its own rate limit, such as 5/s; NULL: the setting rate_key alone';
COMMENT ON COLUMN login_sessions.changed_at IS 'Key: when its rights or those of its owner last changed; workers then look it up again';
COMMENT ON COLUMN login_sessions.created_at IS 'When the login happened, or the key was made';
COMMENT ON COLUMN login_sessions.last_used_at IS 'Login: last refresh. Key: last use, noted at most once a minute; NULL: never';
COMMENT ON COLUMN login_sessions.expires_at IS 'Login: end of the refresh token''s life. Key: end of its life, perhaps infinity';

CREATE TRIGGER once AFTER INSERT OR UPDATE OF key_hash ON login_sessions FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/keys') EXECUTE FUNCTION idem_made('id');

-- Whatever changes what a key may do (the server, parlourctl, or a statement in psql) counts at once in every worker.
CREATE FUNCTION key_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	NEW.changed_at := clock_timestamp();
	PERFORM pg_notify('parlour_logins', '');
	RETURN NEW;
END $$;
COMMENT ON FUNCTION key_changed() IS 'Tells the running server that the rights of an API key changed';
CREATE TRIGGER key_changed BEFORE UPDATE OF scopes, key_rate, expires_at, key_hash, changed_at ON login_sessions
	FOR EACH ROW WHEN (NEW.kind = 'key' AND NEW.ended_at IS NULL
		AND (OLD.scopes, OLD.key_rate, OLD.expires_at, OLD.key_hash, OLD.changed_at)
			IS DISTINCT FROM (NEW.scopes, NEW.key_rate, NEW.expires_at, NEW.key_hash, NEW.changed_at))
	EXECUTE FUNCTION key_changed();

-- A key outlives what is about logins alone: logging out, a change of the password by somebody who knows the old one, and
-- another access level, which counts for the key at its next use.
CREATE OR REPLACE FUNCTION logins_end(p_user bigint, p_login bigint, p_scope text, p_reason text) RETURNS bigint[]
LANGUAGE sql AS $$
	WITH ended AS (
		UPDATE login_sessions l SET ended_at = clock_timestamp(), end_reason = p_reason
		WHERE l.user_id = p_user AND l.ended_at IS NULL AND l.expires_at > clock_timestamp()
			AND CASE p_scope WHEN 'this' THEN l.id = p_login WHEN 'others' THEN l.id <> p_login ELSE true END
			AND (l.kind = 'login' OR p_reason = 'disabled' OR (p_scope = 'others' AND p_login = 0))
		RETURNING l.id)
	SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM ended
$$;
COMMENT ON FUNCTION logins_end(bigint, bigint, text, text) IS 'Ends login sessions of a user (scope this, others, all); gives their ids. API keys only when the account was disabled, or with others of none (0): a password that was reset';

CREATE OR REPLACE FUNCTION user_access_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM logins_end(NEW.id, 0, 'all', CASE WHEN NEW.disabled THEN 'disabled' ELSE 'access' END);
	UPDATE login_sessions l SET changed_at = clock_timestamp()
	WHERE l.user_id = NEW.id AND l.kind = 'key' AND l.ended_at IS NULL;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION user_access_changed() IS 'Ends the login sessions of an account that was disabled or got another access level; API keys live on with the new level';

-- p_made: of a request whose reply was lost. Nobody has that key, so its row gets the new one. p_login: the login session
-- that asks (0: parlourctl); if it ended, for instance with the password, it makes no key that would outlive it.
CREATE FUNCTION key_create(p_user bigint, p_name text, p_prefix text, p_hash bytea, p_scopes text[], p_life_us bigint,
	p_rate text, p_address text, p_most bigint, p_made bigint, p_login bigint)
RETURNS TABLE (status text, id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint;
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_user AND NOT u.disabled FOR NO KEY UPDATE;	-- counts one at a time
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', NULL::bigint;
		RETURN;
	END IF;
	IF p_login > 0 AND NOT EXISTS (SELECT FROM login_sessions l WHERE l.id = p_login AND l.ended_at IS NULL) THEN
		RETURN QUERY SELECT 'revoked', NULL::bigint;
		RETURN;
	END IF;
	UPDATE login_sessions l SET key_prefix = p_prefix, key_hash = p_hash
	WHERE l.id = p_made AND l.user_id = p_user AND l.kind = 'key' AND l.ended_at IS NULL RETURNING l.id INTO v_id;
	IF FOUND OR p_made > 0 THEN
		RETURN QUERY SELECT CASE WHEN v_id IS NULL THEN 'not_found' ELSE 'ok' END, v_id;
		RETURN;
	END IF;
	IF EXISTS (SELECT FROM login_sessions l WHERE l.user_id = p_user AND l.kind = 'key' AND l.ended_at IS NULL
		AND l.expires_at > clock_timestamp() AND lower(l.name) = lower(p_name)) THEN
		RETURN QUERY SELECT 'taken_key', NULL::bigint;
		RETURN;
	END IF;
	IF (SELECT count(*) FROM login_sessions l WHERE l.user_id = p_user AND l.kind = 'key' AND l.ended_at IS NULL
		AND l.expires_at > clock_timestamp()) >= p_most THEN
		RETURN QUERY SELECT 'limit_keys', NULL::bigint;
		RETURN;
	END IF;
	RETURN QUERY INSERT INTO login_sessions (user_id, kind, name, key_prefix, key_hash, scopes, key_rate, address, created_at,
			last_used_at, expires_at)
		VALUES (p_user, 'key', p_name, p_prefix, p_hash, p_scopes, p_rate, p_address, clock_timestamp(), NULL,
			CASE WHEN p_life_us > 0 THEN clock_timestamp() + p_life_us * interval '1 us' ELSE 'infinity' END)
		RETURNING 'ok', login_sessions.id;
END $$;
COMMENT ON FUNCTION key_create(bigint, text, text, bytea, text[], bigint, text, text, bigint, bigint, bigint) IS 'New API key (p_life_us 0: without an end); ok, not_found (user), revoked (p_login), taken_key, limit_keys (p_most live ones). p_made: gives this key another secret instead';

CREATE FUNCTION key_patch(p_user bigint, p_id bigint, p_name text, p_scopes text[], p_life_us bigint, p_rate text)
RETURNS TABLE (status text)
LANGUAGE plpgsql AS $$
DECLARE
	v_old login_sessions;
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;
	SELECT * INTO v_old FROM login_sessions l WHERE l.id = p_id FOR NO KEY UPDATE;
	IF EXISTS (SELECT FROM login_sessions l WHERE l.user_id = p_user AND l.kind = 'key' AND l.ended_at IS NULL
		AND l.expires_at > clock_timestamp() AND lower(l.name) = lower(p_name) AND l.id <> p_id) THEN
		status := 'taken_key';
		RETURN NEXT;
		RETURN;
	END IF;
	UPDATE login_sessions l SET name = coalesce(p_name, l.name), scopes = coalesce(p_scopes, l.scopes),
		expires_at = CASE WHEN p_life_us IS NULL THEN l.expires_at WHEN p_life_us = 0 THEN 'infinity'
			ELSE clock_timestamp() + p_life_us * interval '1 us' END,
		key_rate = CASE WHEN p_rate IS NULL THEN l.key_rate ELSE nullif(p_rate, '') END
	WHERE l.user_id = p_user AND l.id = p_id AND l.kind = 'key' AND l.ended_at IS NULL;
	status := CASE WHEN FOUND THEN 'ok' ELSE 'not_found' END;
	IF FOUND THEN
		PERFORM audit_add('key changed', 'user:' || p_user, jsonb_build_object('login', p_id, 'scopes', v_old.scopes, 'rate', v_old.key_rate),
			(SELECT jsonb_build_object('login', p_id, 'scopes', l.scopes, 'rate', l.key_rate) FROM login_sessions l WHERE l.id = p_id));
	END IF;
	RETURN NEXT;
END $$;
COMMENT ON FUNCTION key_patch(bigint, bigint, text, text[], bigint, text) IS 'Changes an API key (NULL: unchanged; p_life_us from now, 0: without an end; p_rate empty: none); ok, not_found, taken_key';

-- VOLATILE on purpose: it must see what the same statement has just written.
CREATE FUNCTION key_row(p_id bigint) RETURNS SETOF login_sessions
LANGUAGE sql VOLATILE AS $$
	SELECT * FROM login_sessions l WHERE l.id = p_id AND l.kind = 'key'
$$;
COMMENT ON FUNCTION key_row(bigint) IS 'One API key, as it is after what this statement changed';

CREATE FUNCTION key_end(p_user bigint, p_id bigint) RETURNS bigint[]
LANGUAGE sql AS $$
	WITH ended AS (
		UPDATE login_sessions l SET ended_at = clock_timestamp(), end_reason = 'revoked'
		WHERE l.user_id = p_user AND l.id = p_id AND l.kind = 'key' AND l.ended_at IS NULL RETURNING l.id)
	SELECT coalesce(array_agg(id), '{}') FROM ended
$$;
COMMENT ON FUNCTION key_end(bigint, bigint) IS 'Revokes an API key of a user; gives its id';

-- Lists of login sessions leave out keys.
CREATE OR REPLACE FUNCTION list_place(p_list text, p_user bigint, p_id bigint, p_asked boolean, p_status text, p_offset bigint)
RETURNS TABLE (total bigint, last bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_ids text := CASE p_list
		WHEN 'roles' THEN 'SELECT r.id FROM roles r WHERE r.deleted_at IS NULL'
		WHEN 'rooms' THEN 'SELECT r.id FROM rooms r LEFT JOIN members m ON m.room_id = r.id AND m.user_id = $1 '
			|| 'WHERE m.user_id IS NOT NULL OR (r.visibility = ''public'' AND NOT r.archived)'
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
