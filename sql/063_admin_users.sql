-- SPDX-License-Identifier: ISC
-- Administration of accounts over REST: who may change whom is decided here, in the transaction that changes.

CREATE FUNCTION access_rank(p_access text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT array_position(ARRAY['user', 'analyst', 'operator', 'admin'], p_access)
$$;
COMMENT ON FUNCTION access_rank(text) IS 'Access levels in their order: user 1, analyst 2, operator 3, admin 4';

-- Locks in order of the ids, as user_admin() does, so that of two who demote each other one comes first.
CREATE FUNCTION admin_may(p_actor bigint, p_id bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_actor text;
	v_other text;
BEGIN
	PERFORM 1 FROM users u WHERE u.access = 'admin' AND NOT u.disabled OR u.id IN (p_actor, p_id) ORDER BY u.id FOR NO KEY UPDATE;
	SELECT u.access INTO v_actor FROM users u WHERE u.id = p_actor AND NOT u.disabled;
	SELECT u.access INTO v_other FROM users u WHERE u.id = p_id;
	RETURN CASE WHEN coalesce(access_rank(v_actor), 0) < 3 THEN 'forbidden' WHEN v_other IS NULL THEN 'not_found'
		WHEN v_actor <> 'admin' AND access_rank(v_other) >= access_rank(v_actor) THEN 'not_above' ELSE 'ok' END;
END $$;
COMMENT ON FUNCTION admin_may(bigint, bigint) IS 'May p_actor change the account p_id? ok, forbidden (no operator or admin any more), not_found, not_above (the account has the same level or a higher one; admins may change admins)';

CREATE FUNCTION admin_user(p_actor bigint, p_id bigint, p_access text, p_disabled boolean)
RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := admin_may(p_actor, p_id);
BEGIN
	IF v_status = 'ok' AND access_rank(p_access) > (SELECT access_rank(u.access) FROM users u WHERE u.id = p_actor) THEN
		v_status := 'not_above';
	END IF;
	IF v_status = 'ok' THEN
		RETURN QUERY SELECT * FROM user_admin(p_id, p_access, p_disabled);
	ELSE
		RETURN QUERY SELECT v_status, '{}'::bigint[];
	END IF;
END $$;
COMMENT ON FUNCTION admin_user(bigint, bigint, text, boolean) IS 'user_admin() on behalf of p_actor, who grants no level above the own one; also forbidden, not_above';

CREATE FUNCTION admin_logout(p_actor bigint, p_id bigint) RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := admin_may(p_actor, p_id);
BEGIN
	RETURN QUERY SELECT v_status, CASE WHEN v_status = 'ok' THEN logins_end(p_id, 0, 'all', 'operator') ELSE '{}' END;
END $$;
COMMENT ON FUNCTION admin_logout(bigint, bigint) IS 'Ends all login sessions of p_id on behalf of p_actor; ok, forbidden, not_found, not_above';

CREATE FUNCTION admin_user_create(p_actor bigint, p_username text, p_email text, p_name text, p_hash text, p_access text)
RETURNS TABLE (status text, id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_rank integer;
BEGIN
	SELECT access_rank(u.access) INTO v_rank FROM users u WHERE u.id = p_actor AND NOT u.disabled FOR SHARE;
	IF coalesce(v_rank, 0) < 3 OR access_rank(p_access) > v_rank THEN
		RETURN QUERY SELECT CASE WHEN coalesce(v_rank, 0) < 3 THEN 'forbidden' ELSE 'not_above' END, 0::bigint;
		RETURN;
	END IF;
	RETURN QUERY SELECT n.status, coalesce(n.id, 0) FROM user_create(p_username, p_email, p_name, p_hash, p_access) n;
END $$;
COMMENT ON FUNCTION admin_user_create(bigint, text, text, text, text, text) IS 'user_create() on behalf of p_actor, who grants no level above the own one; also forbidden, not_above';
CREATE TRIGGER once_admin AFTER INSERT ON users FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/admin/users') EXECUTE FUNCTION idem_made('id');

CREATE FUNCTION admin_reset(p_actor bigint, p_id bigint, p_address text, p_request text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := admin_may(p_actor, p_id);
	v_name text;
BEGIN
	IF v_status <> 'ok' THEN
		RETURN v_status;
	END IF;
	SELECT u.username INTO v_name FROM users u WHERE u.id = p_id AND u.email IS NOT NULL AND NOT u.disabled;
	IF NOT FOUND THEN
		RETURN 'no_address';
	END IF;
	PERFORM password_reset_ask(v_name, p_address, p_request);
	PERFORM audit_add('password reset sent', 'user:' || p_id);
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION admin_reset(bigint, bigint, text, text) IS 'Queues the mail with a link for a new password on behalf of p_actor; ok, forbidden, not_found, not_above, no_address';
