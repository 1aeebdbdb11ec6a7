-- SPDX-License-Identifier: ISC
-- Administration over REST: login sessions, lock-outs, second factors, and jobs. Who may do what is decided here, in the
-- transaction that changes.

CREATE FUNCTION user_meant(p_user text) RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT coalesce(CASE WHEN p_user ~ '^[0-9]{1,18}$' THEN p_user::bigint
		ELSE (SELECT u.id FROM users u WHERE lower(u.username) = lower(p_user)) END, -1)
$$;
COMMENT ON FUNCTION user_meant(text) IS 'Number of the user with this name, or the number itself; -1: no user has this name';

CREATE FUNCTION admin_is(p_actor bigint) RETURNS boolean
LANGUAGE sql AS $$
	SELECT EXISTS (SELECT FROM users u WHERE u.id = p_actor AND NOT u.disabled AND access_rank(u.access) >= 3 FOR SHARE)
$$;
COMMENT ON FUNCTION admin_is(bigint) IS 'Is p_actor an operator or admin who is not disabled? The row stays locked until the transaction ends';

-- An API key of the user ends the same way.
CREATE FUNCTION admin_login_end(p_actor bigint, p_login bigint) RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := admin_may(p_actor, coalesce((SELECT l.user_id FROM login_sessions l WHERE l.id = p_login), 0));
	v_ended bigint[] := '{}';
BEGIN
	IF v_status = 'ok' THEN
		WITH gone AS (UPDATE login_sessions l SET ended_at = clock_timestamp(), end_reason = 'operator'
			WHERE l.id = p_login AND l.ended_at IS NULL AND l.expires_at > clock_timestamp() RETURNING l.id)
			SELECT array_agg(g.id) INTO v_ended FROM gone g;
		v_status := CASE WHEN v_ended IS NULL THEN 'not_found' ELSE 'ok' END;
	END IF;
	RETURN QUERY SELECT v_status, coalesce(v_ended, '{}');
END $$;
COMMENT ON FUNCTION admin_login_end(bigint, bigint) IS 'Ends one login session or API key on behalf of p_actor; ok, forbidden, not_found (also: it has ended), not_above';

CREATE FUNCTION admin_unlock(p_actor bigint, p_id bigint) RETURNS TABLE (status text, locks bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := admin_may(p_actor, p_id);
BEGIN
	RETURN QUERY SELECT v_status, CASE WHEN v_status = 'ok' THEN login_unlock(p_id) ELSE 0 END;
END $$;
COMMENT ON FUNCTION admin_unlock(bigint, bigint) IS 'login_unlock() on behalf of p_actor, with the number of locks that it ended; ok, forbidden, not_found, not_above';

-- Not their own: that needs a code (totp_off()), so that a stolen token cannot do it.
CREATE FUNCTION admin_mfa_off(p_actor bigint, p_id bigint) RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := admin_may(p_actor, p_id);
BEGIN
	IF v_status = 'ok' AND p_actor = p_id THEN
		v_status := 'own_factor';
	ELSIF v_status = 'ok' AND NOT second_factor_remove(p_id) THEN
		v_status := 'mfa_none';
	END IF;
	RETURN QUERY SELECT v_status, CASE WHEN v_status = 'ok' THEN logins_end(p_id, 0, 'all', 'second factor') ELSE '{}' END;
END $$;
COMMENT ON FUNCTION admin_mfa_off(bigint, bigint) IS 'Removes the second factor of p_id, and ends the login sessions; ok, forbidden, not_found, not_above, own_factor (p_actor is p_id), mfa_none';

CREATE INDEX jobs_created ON jobs (created_at, id);

CREATE FUNCTION admin_job(p_actor bigint, p_id uuid, p_verb text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text;
BEGIN
	IF NOT admin_is(p_actor) THEN
		RETURN 'forbidden';
	END IF;
	v_status := CASE p_verb WHEN 'retry' THEN job_retry(p_id) ELSE job_drop(p_id) END;
	IF v_status = 'ok' THEN
		PERFORM audit_add(CASE p_verb WHEN 'retry' THEN 'job retried' ELSE 'job dropped' END, 'job:' || p_id);
	END IF;
	RETURN CASE WHEN v_status IN ('ok', 'not_found') THEN v_status
		WHEN v_status IN ('running', 'done', 'dropped', 'exists') THEN 'job_' || v_status ELSE 'conflict' END;
END $$;
COMMENT ON FUNCTION admin_job(bigint, uuid, text) IS 'job_retry() or job_drop() on behalf of p_actor; ok, forbidden, not_found, job_running, job_done, job_dropped, job_exists (a newer one of its key), conflict (its state changed meanwhile)';
