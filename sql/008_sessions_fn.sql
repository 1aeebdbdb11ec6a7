-- SPDX-License-Identifier: ISC
-- Functions of sessions. Order of locks: the user's row (or the guest's address), then the session's row, then the rest.

-- The id of the session that `p_key` names for this caller: its UUID, or the id of an imported one of their own. A guest's
-- session belongs to whoever has its UUID, as long as guests are let in. NULL: none, or not theirs.
CREATE FUNCTION session_find(p_key text, p_user bigint, p_guests boolean) RETURNS uuid
LANGUAGE sql STABLE AS $$
	SELECT s.id FROM sessions s
	WHERE s.id = CASE WHEN p_key ~ '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$' THEN p_key::uuid END
		AND (s.user_id = p_user OR (s.user_id IS NULL AND s.guest AND p_guests))
	UNION ALL
	SELECT s.id FROM sessions s WHERE s.external_id = p_key AND s.user_id = p_user
	LIMIT 1
$$;
COMMENT ON FUNCTION session_find(text, bigint, boolean) IS 'Id of the session that a caller names by UUID or external id; NULL when it is not theirs';

-- An IPv6 subscriber holds at least a /64, so guests count by that.
CREATE FUNCTION session_address(p_address text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN p_address ~ '^[0-9A-Fa-f:]*:[0-9A-Fa-f:]*$' THEN host(network(set_masklen(p_address::inet, 64)))
		ELSE p_address END
$$;
COMMENT ON FUNCTION session_address(text) IS 'What guests are counted by: the address, of IPv6 its /64';

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
				ELSE s.user_id IS NULL AND s.guest AND s.meta ->> 'address' = v_address END;
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
COMMENT ON FUNCTION session_create(uuid, bigint, text, text, text, text, bigint, bigint) IS 'A new chat or guided session, at most p_max open ones per user or guest address; status ok, session_limit (retry_s: when the next one expires), not_found';

-- Locks the session: ok, not_found, or ended (also when its life is over and nobody has marked it yet).
CREATE FUNCTION session_lock(p_id uuid) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v sessions;
BEGIN
	SELECT * INTO v FROM sessions s WHERE s.id = p_id FOR NO KEY UPDATE;
	IF NOT FOUND OR v.kind = 'usage' THEN
		RETURN 'not_found';
	END IF;
	RETURN CASE WHEN v.state <> 'open' OR v.expires_at <= clock_timestamp() THEN 'ended' ELSE 'ok' END;
END $$;
COMMENT ON FUNCTION session_lock(uuid) IS 'Locks a session for a message: ok, not_found, ended';

CREATE FUNCTION session_end(p_key text, p_user bigint, p_guests boolean) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_id uuid := session_find(p_key, p_user, p_guests);
BEGIN
	IF v_id IS NULL THEN
		RETURN 'not_found';
	END IF;
	UPDATE sessions s SET state = 'ended', ended_at = clock_timestamp() WHERE s.id = v_id AND s.state = 'open';
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION session_end(text, bigint, boolean) IS 'Ends a session of the caller; one that is over stays as it is. Status ok, not_found';

-- What a socket made and nobody used: a page that is loaded often must not use up its address's sessions.
CREATE FUNCTION session_discard(p_id uuid) RETURNS text
LANGUAGE sql AS $$
	WITH d AS (DELETE FROM sessions s WHERE s.id = p_id AND s.last_seq = 0 AND s.kind <> 'usage')
	SELECT 'ok'::text
$$;
COMMENT ON FUNCTION session_discard(uuid) IS 'Throws a session away in which nothing was said';

CREATE FUNCTION sessions_expire(p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH e AS (
		UPDATE sessions t SET state = 'expired', ended_at = t.expires_at
		WHERE t.id = ANY (ARRAY(SELECT s.id FROM sessions s WHERE s.state = 'open' AND s.expires_at <= clock_timestamp()
			ORDER BY s.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED)) RETURNING 1
	)
	SELECT count(*) FROM e
$$;
COMMENT ON FUNCTION sessions_expire(integer) IS 'Marks open sessions whose life is over as expired; gives how many';

-- VOLATILE on purpose: it must see what the caller has just written.
CREATE FUNCTION session_row(p_id uuid) RETURNS SETOF sessions
LANGUAGE sql VOLATILE AS $$
	SELECT * FROM sessions s WHERE s.id = p_id
$$;
COMMENT ON FUNCTION session_row(uuid) IS 'A session as it is now';
