-- SPDX-License-Identifier: ISC
-- Guests have no name to be counted by, only an address, which many may share: what they have left behind does not count.

ALTER TABLE sessions ADD COLUMN left_at timestamptz;
COMMENT ON COLUMN sessions.left_at IS 'When the last socket of a guest closed; whoever has the number can come back while the session lives. NULL: never';
ALTER TABLE sessions ADD COLUMN socket uuid;
COMMENT ON COLUMN sessions.socket IS 'The newest socket that opened it when it was there already; NULL: only the one that made it, or none';

CREATE FUNCTION session_create(p_id uuid, p_user bigint, p_address text, p_kind text, p_form text, p_requested text,
	p_max bigint, p_life_ms bigint)
RETURNS TABLE (status text, retry_s bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_address text := session_address(p_address);
	v_open bigint;
	v_next timestamptz;
BEGIN
	IF p_user > 0 THEN
		PERFORM 1 FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;	-- counts one at a time
		IF NOT FOUND THEN
			RETURN QUERY SELECT 'not_found', 0::bigint;
			RETURN;
		END IF;
	ELSE
		PERFORM pg_advisory_xact_lock(hashtextextended('parlour guest ' || v_address, 0));
	END IF;
	SELECT count(*), min(s.expires_at) INTO v_open, v_next FROM sessions s
		WHERE s.state = 'open' AND s.expires_at > clock_timestamp() AND s.kind IN ('chat', 'guided')
			AND CASE WHEN p_user > 0 THEN s.user_id = p_user
				ELSE s.user_id IS NULL AND s.guest AND s.meta ->> 'address' = v_address
					AND NOT s.is_complete AND s.form_over IS NULL
					AND (s.left_at IS NULL OR EXISTS (SELECT FROM session_messages m WHERE m.session_id = s.id
						AND m.author = 'user' AND m.created_at > s.left_at)) END;
	IF v_open >= p_max THEN
		RETURN QUERY SELECT 'session_limit', greatest(1, ceil(extract(epoch FROM v_next - clock_timestamp())))::bigint;
		RETURN;
	END IF;
	INSERT INTO sessions (id, kind, user_id, guest, form, requested_slot, expires_at, meta)
		VALUES (p_id, p_kind, nullif(p_user, 0), p_user = 0, p_form, p_requested,
			clock_timestamp() + p_life_ms * interval '1 ms',
			CASE WHEN p_user = 0 THEN jsonb_build_object('address', v_address) END);
	RETURN QUERY SELECT 'ok', 0::bigint;
END $$;
COMMENT ON FUNCTION session_create(uuid, bigint, text, text, text, text, bigint, bigint) IS 'A new chat or guided session, at most p_max open ones per user, or of those that a guest address has not finished or left; status ok, session_limit (retry_s: when the next one expires), not_found';

CREATE FUNCTION session_enter(p_id uuid, p_socket uuid) RETURNS text
LANGUAGE sql AS $$
	WITH e AS (UPDATE sessions s SET socket = p_socket, left_at = NULL WHERE s.id = p_id AND s.state = 'open' RETURNING 1)
	SELECT CASE WHEN EXISTS (SELECT FROM e) THEN 'ok' ELSE 'not_found' END
$$;
COMMENT ON FUNCTION session_enter(uuid, uuid) IS 'A socket opens a session that was there; status ok, not_found (over meanwhile)';

CREATE FUNCTION session_leave(p_id uuid, p_socket uuid, p_made boolean) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM sessions s WHERE s.id = p_id AND p_made AND s.socket IS NULL AND s.last_seq = 0 AND s.kind <> 'usage';
	IF NOT FOUND THEN
		UPDATE sessions s SET left_at = clock_timestamp() WHERE s.id = p_id AND s.guest AND s.state = 'open'
			AND (s.socket = p_socket OR s.socket IS NULL);
	END IF;
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION session_leave(uuid, uuid, boolean) IS 'A socket is gone: a session that it made, that nobody else opened and in which nothing was said goes with it (a page that is loaded often must not use up its sessions); a guest''s is left, if this was the newest socket in it';
