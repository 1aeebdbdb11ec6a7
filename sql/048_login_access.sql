-- SPDX-License-Identifier: ISC
-- Another access level: a login under way with the old one must not survive the change, because its token carries the
-- level.

DROP FUNCTION login_create(bigint, interval, text, text, text);
CREATE FUNCTION login_create(p_user bigint, p_life interval, p_user_agent text, p_address text, p_hash text DEFAULT NULL,
	p_access text DEFAULT NULL)
RETURNS SETOF login_sessions
LANGUAGE sql AS $$
	INSERT INTO login_sessions (user_id, expires_at, user_agent, address)
	SELECT u.id, clock_timestamp() + p_life, p_user_agent, p_address
	FROM users u WHERE u.id = p_user AND NOT u.disabled AND (p_hash IS NULL OR u.password_hash = p_hash)
		AND (p_access IS NULL OR u.access = p_access) FOR SHARE
	RETURNING *
$$;
COMMENT ON FUNCTION login_create(bigint, interval, text, text, text, text) IS 'A new login session; no row when the user is absent or disabled, or when the password is no longer the one with hash p_hash or the access level no longer p_access';
