-- SPDX-License-Identifier: ISC
-- Changing a password: a login under way with the old one must not survive the change.

-- FOR SHARE waits for a change of the password or of `disabled` that is under way, and makes a later one wait for this
-- login session, which it then ends.
DROP FUNCTION login_create(bigint, interval, text, text);
CREATE FUNCTION login_create(p_user bigint, p_life interval, p_user_agent text, p_address text, p_hash text DEFAULT NULL)
RETURNS SETOF login_sessions
LANGUAGE sql AS $$
	INSERT INTO login_sessions (user_id, expires_at, user_agent, address)
	SELECT u.id, clock_timestamp() + p_life, p_user_agent, p_address
	FROM users u WHERE u.id = p_user AND NOT u.disabled AND (p_hash IS NULL OR u.password_hash = p_hash) FOR SHARE
	RETURNING *
$$;
COMMENT ON FUNCTION login_create(bigint, interval, text, text, text) IS 'A new login session; no row when the user is absent or disabled, or when the password is no longer the one with hash p_hash';

DROP FUNCTION user_password(bigint, text, bigint);
CREATE FUNCTION user_password(p_id bigint, p_hash text, p_keep_login bigint, p_old_hash text DEFAULT NULL)
RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE users u SET password_hash = p_hash
	WHERE u.id = p_id AND (p_old_hash IS NULL OR u.password_hash = p_old_hash);
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[];
		RETURN;
	END IF;
	RETURN QUERY SELECT 'ok', logins_end(p_id, p_keep_login, 'others', 'password');
END $$;
COMMENT ON FUNCTION user_password(bigint, text, bigint, text) IS 'New password: ends all other login sessions and gives their ids. not_found: no such user, or the password is no longer the one with hash p_old_hash';
