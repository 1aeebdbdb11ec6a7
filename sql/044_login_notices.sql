-- SPDX-License-Identifier: ISC
-- Whatever ends a login session (the server, parlourctl, or a statement in psql) counts at once in every worker.

CREATE FUNCTION login_ended() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('parlour_logins', '');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION login_ended() IS 'Tells the running server that a login session ended; it then closes sockets and refuses tokens';
CREATE TRIGGER login_ended AFTER UPDATE OF ended_at ON login_sessions
	FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION login_ended();

-- A token carries the access level, so a new level needs new tokens.
CREATE FUNCTION user_access_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM logins_end(NEW.id, 0, 'all', CASE WHEN NEW.disabled THEN 'disabled' ELSE 'access' END);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION user_access_changed() IS 'Ends the login sessions of an account that was disabled or got another access level';
CREATE TRIGGER user_access_changed AFTER UPDATE OF access, disabled ON users
	FOR EACH ROW WHEN (OLD.access <> NEW.access OR (NEW.disabled AND NOT OLD.disabled))
	EXECUTE FUNCTION user_access_changed();

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
	WHERE u.id = p_id;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[];
		RETURN;
	END IF;
	RETURN QUERY SELECT 'ok', coalesce(array_agg(l.id ORDER BY l.id), '{}') FROM login_sessions l
		WHERE l.id = ANY (v_alive) AND l.ended_at IS NOT NULL;
END $$;
COMMENT ON FUNCTION user_admin(bigint, text, boolean) IS 'Sets access and disabled (NULL: unchanged); disabling and another access level end all login sessions, whose ids it gives. last_admin: nobody would be left who is admin and not disabled';
