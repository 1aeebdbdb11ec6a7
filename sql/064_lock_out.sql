-- SPDX-License-Identifier: ISC
-- Lock-out: many failed logins to one account from one network stop further ones from there for a while. Logins from elsewhere
-- and login sessions go on, so that nobody can lock the owner out.

CREATE FUNCTION address_prefix(p_address text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN p_address ~ '^(::ffff:)?\d{1,3}(\.\d{1,3}){3}$'
			THEN network(set_masklen(regexp_replace(p_address, '^::ffff:', '')::inet, 24))::text
		WHEN p_address LIKE '%:%' THEN network(set_masklen(split_part(p_address, '%', 1)::inet, 64))::text
		ELSE coalesce(p_address, '') END
$$;
COMMENT ON FUNCTION address_prefix(text) IS 'Network that an address counts for in the lock-out: IPv4 /24, IPv6 /64, else the text itself (unix)';

CREATE TABLE login_locks (
	user_id      bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	prefix       text NOT NULL,
	failures     integer NOT NULL,
	locks        integer NOT NULL DEFAULT 0,
	last_at      timestamptz NOT NULL,
	locked_until timestamptz,
	PRIMARY KEY (user_id, prefix)
);
CREATE INDEX login_locks_old ON login_locks (last_at);
COMMENT ON TABLE login_locks IS 'Failed logins by account and network, and the locks that follow; settings lockout_attempts, lockout_time';
COMMENT ON COLUMN login_locks.user_id IS 'Account';
COMMENT ON COLUMN login_locks.prefix IS 'Network that the attempts come from, see address_prefix()';
COMMENT ON COLUMN login_locks.failures IS 'Number of failed attempts since the last login or lock';
COMMENT ON COLUMN login_locks.locks IS 'Number of locks since the last login; each lasts twice as long as the one before';
COMMENT ON COLUMN login_locks.last_at IS 'When the last attempt was counted; a day later it is forgotten';
COMMENT ON COLUMN login_locks.locked_until IS 'End of the newest lock; NULL: there was none';

CREATE FUNCTION login_locked(p_user bigint, p_address text) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM login_locks l WHERE l.user_id = p_user AND l.prefix = address_prefix(p_address)
		AND l.locked_until > clock_timestamp())
$$;
COMMENT ON FUNCTION login_locked(bigint, text) IS 'Are logins to this account from this network locked now?';

CREATE FUNCTION login_unlock(p_user bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_count bigint;
BEGIN
	WITH gone AS (DELETE FROM login_locks l WHERE l.user_id = p_user RETURNING l.locked_until)
		SELECT count(*) INTO v_count FROM gone WHERE gone.locked_until > clock_timestamp();
	IF v_count > 0 THEN
		PERFORM audit_add('login unlocked', 'user:' || p_user);
	END IF;
	RETURN v_count;
END $$;
COMMENT ON FUNCTION login_unlock(bigint) IS 'Forgets the failed logins of an account; gives how many locks that ended';

CREATE FUNCTION lock_mail(p_user users, p_prefix text, p_attempts integer, p_until timestamptz, p_server text) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO jobs (kind, key, lane, payload, give_up_at)
	SELECT 'mail', 'lock ' || gen_random_uuid(), mail_lane(p_user.email), jsonb_build_object('to', p_user.email,
		'subject', format('%s: failed logins to your account', p_server),
		'body', format(E'Hello %s,\n\nthere were %s failed logins to your account at %s from %s.\n'
			'Logins to it from there are now refused until %s UTC.\n'
			'You stay logged in where you are logged in, and can log in from elsewhere.\n\n'
			'If it was you, wait until then, or set a new password with the link\n"Forgot your password?".\n'
			'If it was not you, nothing needs to be done as long as nobody else knows\nyour password.\n',
			p_user.username, p_attempts, p_server, CASE WHEN p_prefix ~ '/' THEN 'the network ' || p_prefix ELSE 'the server itself' END,
			to_char(p_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'))), clock_timestamp() + interval '1 day'
	WHERE p_user.email IS NOT NULL
$$;
COMMENT ON FUNCTION lock_mail(users, text, integer, timestamptz, text) IS 'Queues the mail that tells the owner of an account that it is locked';

CREATE FUNCTION login_failed(p_user bigint, p_address text, p_attempts bigint, p_lock_ms bigint, p_mail boolean, p_server text)
RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	v_prefix text := address_prefix(p_address);
	v_now timestamptz := clock_timestamp();
	v_lock login_locks;
	v_user users;
BEGIN
	INSERT INTO login_locks AS l (user_id, prefix, failures, last_at)
		SELECT u.id, v_prefix, 1, v_now FROM users u WHERE u.id = p_user
		ON CONFLICT (user_id, prefix) DO UPDATE SET
			failures = CASE WHEN greatest(l.last_at, l.locked_until) < v_now - interval '1 day' THEN 1 ELSE l.failures + 1 END,
			locks = CASE WHEN greatest(l.last_at, l.locked_until) < v_now - interval '1 day' THEN 0 ELSE l.locks END,
			last_at = v_now
		WHERE l.locked_until IS NULL OR l.locked_until <= v_now		-- a lock does not grow while it lasts
		RETURNING * INTO v_lock;
	IF v_lock.failures IS NULL OR v_lock.failures < p_attempts THEN
		RETURN false;
	END IF;
	UPDATE login_locks l SET failures = 0, locks = l.locks + 1,
		locked_until = v_now + least(p_lock_ms * 2 ^ least(l.locks, 20), 86400000) * interval '1 ms'
		WHERE l.user_id = p_user AND l.prefix = v_prefix RETURNING * INTO v_lock;
	PERFORM audit_add('login locked', 'user:' || p_user, NULL,
		jsonb_build_object('prefix', v_prefix, 'until', v_lock.locked_until, 'locks', v_lock.locks));
	IF p_mail THEN
		SELECT u.* INTO v_user FROM users u WHERE u.id = p_user;
		PERFORM lock_mail(v_user, v_prefix, p_attempts::integer, v_lock.locked_until, p_server);
	END IF;
	DELETE FROM login_locks l WHERE (l.user_id, l.prefix) IN (SELECT s.user_id, s.prefix FROM login_locks s
		WHERE s.last_at < v_now - interval '3 days' ORDER BY s.last_at LIMIT 100 FOR UPDATE SKIP LOCKED);
	RETURN true;
END $$;
COMMENT ON FUNCTION login_failed(bigint, text, bigint, bigint, boolean, text) IS 'Counts a failed login. true: it is the last of p_attempts, and logins from this network are locked now, for p_lock_ms the first time, each time twice as long, at most a day';

CREATE OR REPLACE FUNCTION login_create(p_user bigint, p_life interval, p_user_agent text, p_address text, p_hash text DEFAULT NULL,
	p_access text DEFAULT NULL)
RETURNS SETOF login_sessions
LANGUAGE sql AS $$
	WITH made AS (
		INSERT INTO login_sessions (user_id, expires_at, user_agent, address)
		SELECT u.id, clock_timestamp() + p_life, p_user_agent, p_address
		FROM users u WHERE u.id = p_user AND NOT u.disabled
			AND (p_hash IS NULL OR (u.password_hash = p_hash AND NOT u.second_factor AND NOT login_locked(u.id, p_address)))
			AND (p_access IS NULL OR u.access = p_access) FOR SHARE
		RETURNING *
	), cleared AS (
		DELETE FROM login_locks l USING made m WHERE p_hash IS NOT NULL AND l.user_id = m.user_id
			AND l.prefix = address_prefix(p_address)
	)
	SELECT * FROM made
$$;
COMMENT ON FUNCTION login_create(bigint, interval, text, text, text, text) IS 'A new login session; no row when the user is absent or disabled, or when the access level is no longer p_access. With p_hash (the password was given) also none when that is no longer the hash, when a second factor is needed, too, and when logins from this network are locked; otherwise the failed ones are forgotten';

CREATE OR REPLACE FUNCTION mfa_login(p_ticket bytea, p_sealed bytea, p_step bigint, p_recovery bytea, p_life interval, p_user_agent text,
	p_address text)
RETURNS TABLE (status text, user_id bigint, login_id bigint, counter bigint, expires_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	v_ticket mfa_tickets;
	v_user bigint;
BEGIN
	SELECT t.user_id INTO v_user FROM mfa_tickets t WHERE t.ticket_hash = p_ticket;
	PERFORM 1 FROM users u WHERE u.id = v_user AND NOT u.disabled AND u.second_factor FOR SHARE;
	IF FOUND THEN
		SELECT t.* INTO v_ticket FROM mfa_tickets t WHERE t.ticket_hash = p_ticket FOR UPDATE;
	END IF;
	IF v_ticket.user_id IS NULL OR v_ticket.expires_at <= clock_timestamp() THEN
		RETURN QUERY SELECT 'not_found', v_user, NULL::bigint, NULL::bigint, NULL::timestamptz;
	ELSIF NOT login_locked(v_user, p_address) AND second_factor_take(v_user, p_sealed, p_step, p_recovery) THEN
		DELETE FROM mfa_tickets t WHERE t.ticket_hash = p_ticket;
		DELETE FROM login_locks l WHERE l.user_id = v_user AND l.prefix = address_prefix(p_address);
		IF p_step IS NULL THEN
			PERFORM audit_add('recovery code used', 'user:' || v_user, NULL, NULL, v_user);
		END IF;
		RETURN QUERY SELECT 'ok', v_user, l.id, l.refresh_counter, l.expires_at
			FROM login_create(v_user, p_life, p_user_agent, p_address) l;
	ELSE
		UPDATE mfa_tickets t SET tries = t.tries + 1 WHERE t.ticket_hash = p_ticket;
		DELETE FROM mfa_tickets t WHERE t.ticket_hash = p_ticket AND t.tries >= 5;
		RETURN QUERY SELECT 'wrong', v_user, NULL::bigint, NULL::bigint, NULL::timestamptz;
	END IF;
END $$;
COMMENT ON FUNCTION mfa_login(bytea, bytea, bigint, bytea, interval, text, text) IS 'Second step of a login. ok: the login session; wrong: the code was not right or was used before, or logins from this network are locked, the fifth time the ticket ends; not_found: the ticket is not valid any more';

CREATE FUNCTION login_locks_end() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM login_unlock(NEW.id);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION login_locks_end() IS 'Forgets the failed logins of an account that has another password';
CREATE TRIGGER login_locks_end AFTER UPDATE OF password_changed_at ON users
	FOR EACH ROW WHEN (OLD.password_changed_at IS DISTINCT FROM NEW.password_changed_at) EXECUTE FUNCTION login_locks_end();
