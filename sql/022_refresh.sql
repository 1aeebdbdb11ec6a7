-- SPDX-License-Identifier: ISC
-- Browser tabs that share a refresh token all get the current tokens within the window.

-- The rule of refresh tokens, under the row's lock, so that two tabs at once cannot both win:
--   the current counter                        -> counter + 1 (or the same without rotation)
--   the previous one, within the window        -> the current counter again, however often: another tab refreshed, or
--                                                 the client did not get our last reply
--   anything else                              -> somebody holds an old token: the session ends
CREATE OR REPLACE FUNCTION auth_refresh(p_login bigint, p_counter bigint, p_reuse_ms bigint, p_rotate boolean)
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
	ELSIF p_counter = v_login.refresh_counter - 1 AND v_login.rotated_at >= v_now - p_reuse_ms * interval '1 ms' THEN
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

-- Whether the new access token was used no longer matters.
DROP FUNCTION login_seen(bigint, bigint);
ALTER TABLE login_sessions DROP COLUMN seen_counter;
