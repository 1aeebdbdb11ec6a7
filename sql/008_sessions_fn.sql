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
