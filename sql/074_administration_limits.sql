-- SPDX-License-Identifier: ISC
-- Lock-outs and recent refusals, for operators. The rates themselves are in shared memory.

-- Refusals are recorded per user and class, and not per API key.
CREATE FUNCTION admin_limits(p_user text, p_address text, p_limit integer)
RETURNS TABLE (kind text, class text, user_id bigint, username text, key_id bigint, key_rate text, address text, refused bigint,
	until timestamptz)
LANGUAGE sql STABLE AS $$
	WITH who AS MATERIALIZED (SELECT CASE WHEN p_user IS NOT NULL THEN user_meant(p_user) END AS id), hits AS MATERIALIZED (
		SELECT h.class, nullif(h.user_id, 0) AS user_id, CASE WHEN coalesce(h.user_id, 0) = 0 THEN h.address END AS address,
			sum(h.count)::bigint AS refused, max(h.last_at) AS last_at
		FROM limit_hits h, who w WHERE h.last_at > clock_timestamp() - interval '1 hour' AND (w.id IS NULL OR h.user_id = w.id)
			AND (p_address IS NULL OR (coalesce(h.user_id, 0) = 0 AND h.address = p_address))
		GROUP BY 1, 2, 3
	), found AS (
		SELECT 'lockout' AS kind, NULL AS class, l.user_id, NULL::bigint AS key_id, NULL AS key_rate, l.prefix AS address,
			l.locks::bigint AS refused, l.locked_until AS until
		FROM login_locks l, who w WHERE l.locked_until > clock_timestamp() AND (w.id IS NULL OR l.user_id = w.id)
			AND (p_address IS NULL OR l.prefix IN (p_address, address_prefix(p_address)))
		UNION ALL
		SELECT 'rate', h.class, h.user_id, NULL, NULL, h.address, h.refused, h.last_at FROM hits h WHERE h.class <> 'key'
		UNION ALL
		SELECT 'rate', 'key', l.user_id, l.id, l.key_rate, NULL, coalesce(h.refused, 0), coalesce(h.last_at, l.last_used_at)
		FROM who w, login_sessions l LEFT JOIN hits h ON h.user_id = l.user_id AND h.class = 'key'
		WHERE p_address IS NULL AND l.kind = 'key' AND l.ended_at IS NULL AND l.expires_at > clock_timestamp()
			AND (l.user_id = w.id OR (w.id IS NULL AND h.user_id IS NOT NULL))
	)
	SELECT f.kind, f.class, f.user_id, u.username, f.key_id, f.key_rate, f.address, f.refused, f.until
	FROM found f LEFT JOIN users u ON u.id = f.user_id ORDER BY f.kind, f.until DESC NULLS LAST, f.user_id, f.key_id LIMIT p_limit
$$;
COMMENT ON FUNCTION admin_limits(text, text, integer) IS 'Lock-outs in effect; rate limits that refused requests within the last hour; and the valid API keys of the user, or of users whose class key refused requests within the last hour. Of one user (name or number), or of one address, or (NULL) all';

-- Only rates of an address are reset: a lock-out belongs to an account.
CREATE FUNCTION admin_limits_reset(p_actor bigint, p_user text, p_address text)
RETURNS TABLE (status text, user_id bigint, lockouts bigint, keys bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint := CASE WHEN p_user IS NOT NULL THEN user_meant(p_user) ELSE 0 END;
	v_status text := CASE WHEN p_user IS NOT NULL THEN admin_may(p_actor, v_id) WHEN admin_is(p_actor) THEN 'ok' ELSE 'forbidden' END;
BEGIN
	IF v_status = 'ok' THEN
		PERFORM audit_add('limits reset', CASE WHEN p_user IS NOT NULL THEN 'user:' || v_id ELSE 'address:' || p_address END);
	END IF;
	RETURN QUERY SELECT v_status, v_id, CASE WHEN v_status = 'ok' AND v_id > 0 THEN login_unlock(v_id) ELSE 0 END,
		CASE WHEN v_status = 'ok' AND v_id > 0 THEN ARRAY(SELECT l.id FROM login_sessions l WHERE l.user_id = v_id AND l.kind = 'key'
			AND l.ended_at IS NULL AND l.expires_at > clock_timestamp() ORDER BY l.id) ELSE '{}' END;
END $$;
COMMENT ON FUNCTION admin_limits_reset(bigint, text, text) IS 'Ends the lock-outs of a user on behalf of p_actor, and gives the number of the user and of the API keys, whose rates the server then resets; ok, forbidden, not_found, not_above. For an address, only records it';
