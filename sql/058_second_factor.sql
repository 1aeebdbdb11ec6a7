-- SPDX-License-Identifier: ISC
-- Second factor: codes of an authenticator app (TOTP), and recovery codes for who lost it. A login with a password then
-- gets a ticket, and the ticket with a code gets the login session.
--
-- Locks are taken in the order users, mfa_tickets, second_factors, recovery_codes.

ALTER TABLE users ADD COLUMN second_factor boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN users.second_factor IS 'A login with the password also needs a code';

CREATE TABLE second_factors (
	user_id      bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
	sealed       bytea NOT NULL,
	last_step    bigint NOT NULL DEFAULT 0,
	created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	confirmed_at timestamptz
);
COMMENT ON TABLE second_factors IS 'Secrets that users share with their authenticator apps (RFC 6238)';
COMMENT ON COLUMN second_factors.user_id IS 'Whose it is';
COMMENT ON COLUMN second_factors.sealed IS 'The secret, AES-256-GCM under the key ring (setting seal_keys), bound to the user';
COMMENT ON COLUMN second_factors.last_step IS 'Step of 30 s whose code was used last; codes of this step and of earlier ones are not valid any more';
COMMENT ON COLUMN second_factors.created_at IS 'When the secret was made';
COMMENT ON COLUMN second_factors.confirmed_at IS 'When a first code proved that the app has the secret; NULL: not yet, so it does not count';

CREATE TABLE recovery_codes (
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	code_hash  bytea NOT NULL CHECK (octet_length(code_hash) = 32),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	used_at    timestamptz,
	PRIMARY KEY (user_id, code_hash)
);
COMMENT ON TABLE recovery_codes IS 'Codes that take the place of one from the app, once each';
COMMENT ON COLUMN recovery_codes.user_id IS 'Whose it is';
COMMENT ON COLUMN recovery_codes.code_hash IS 'SHA-256 of user and code; the code has 80 random bits and was shown once';
COMMENT ON COLUMN recovery_codes.created_at IS 'When it was made';
COMMENT ON COLUMN recovery_codes.used_at IS 'When it was used; NULL: not yet';

CREATE TABLE mfa_tickets (
	ticket_hash bytea PRIMARY KEY CHECK (octet_length(ticket_hash) = 32),
	user_id     bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	tries       integer NOT NULL DEFAULT 0,
	created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires_at  timestamptz NOT NULL
);
CREATE INDEX mfa_tickets_user ON mfa_tickets (user_id, created_at);
CREATE INDEX mfa_tickets_old ON mfa_tickets (expires_at);
COMMENT ON TABLE mfa_tickets IS 'Logins whose password was right and whose second factor is still to come';
COMMENT ON COLUMN mfa_tickets.ticket_hash IS 'SHA-256 of the ticket; only the client has the ticket';
COMMENT ON COLUMN mfa_tickets.user_id IS 'Who logs in';
COMMENT ON COLUMN mfa_tickets.tries IS 'Number of wrong codes; the fifth deletes the ticket';
COMMENT ON COLUMN mfa_tickets.created_at IS 'When it was made';
COMMENT ON COLUMN mfa_tickets.expires_at IS 'End of its validity';

-- A password login that began before the second factor was turned on must not survive that: p_hash tells one.
CREATE OR REPLACE FUNCTION login_create(p_user bigint, p_life interval, p_user_agent text, p_address text, p_hash text DEFAULT NULL,
	p_access text DEFAULT NULL)
RETURNS SETOF login_sessions
LANGUAGE sql AS $$
	INSERT INTO login_sessions (user_id, expires_at, user_agent, address)
	SELECT u.id, clock_timestamp() + p_life, p_user_agent, p_address
	FROM users u WHERE u.id = p_user AND NOT u.disabled
		AND (p_hash IS NULL OR (u.password_hash = p_hash AND NOT u.second_factor))
		AND (p_access IS NULL OR u.access = p_access) FOR SHARE
	RETURNING *
$$;
COMMENT ON FUNCTION login_create(bigint, interval, text, text, text, text) IS 'A new login session; no row when the user is absent or disabled, when the password is no longer the one with hash p_hash or a second factor is needed beside it, or when the access level is no longer p_access';

CREATE FUNCTION mfa_ticket_add(p_user bigint, p_hash text, p_ticket bytea) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_user AND NOT u.disabled AND u.second_factor AND u.password_hash = p_hash FOR SHARE;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	DELETE FROM mfa_tickets t WHERE t.ticket_hash = ANY (ARRAY(SELECT s.ticket_hash FROM mfa_tickets s
		WHERE s.expires_at < clock_timestamp() ORDER BY s.expires_at LIMIT 10 FOR UPDATE SKIP LOCKED));
	DELETE FROM mfa_tickets t WHERE t.ticket_hash = ANY (ARRAY(SELECT s.ticket_hash FROM mfa_tickets s
		WHERE s.user_id = p_user ORDER BY s.created_at DESC OFFSET 9 FOR UPDATE SKIP LOCKED));
	INSERT INTO mfa_tickets (ticket_hash, user_id, expires_at) VALUES (p_ticket, p_user, clock_timestamp() + interval '5 minutes');
	RETURN true;
END $$;
COMMENT ON FUNCTION mfa_ticket_add(bigint, text, bytea) IS 'A ticket for the second step of a login, valid for 5 minutes; the newest ten of a user are kept. false: the account is disabled, has no second factor, or its password is no longer the one with hash p_hash';

CREATE FUNCTION second_factor_take(p_user bigint, p_sealed bytea, p_step bigint, p_recovery bytea) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	IF p_step IS NOT NULL THEN
		UPDATE second_factors f SET last_step = p_step WHERE f.user_id = p_user AND f.sealed = p_sealed
			AND f.confirmed_at IS NOT NULL AND f.last_step < p_step;
	ELSE
		UPDATE recovery_codes c SET used_at = clock_timestamp() WHERE c.user_id = p_user AND c.code_hash = p_recovery
			AND c.used_at IS NULL;
	END IF;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION second_factor_take(bigint, bytea, bigint, bytea) IS 'Uses up the code of a step, or a recovery code; false: it is unknown or was used. p_sealed: the secret that the code was compared with';

CREATE FUNCTION mfa_login(p_ticket bytea, p_sealed bytea, p_step bigint, p_recovery bytea, p_life interval, p_user_agent text,
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
	ELSIF second_factor_take(v_user, p_sealed, p_step, p_recovery) THEN
		DELETE FROM mfa_tickets t WHERE t.ticket_hash = p_ticket;
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
COMMENT ON FUNCTION mfa_login(bytea, bytea, bigint, bytea, interval, text, text) IS 'Second step of a login. ok: the login session; wrong: the code was not right or was used before, the fifth time the ticket ends; not_found: the ticket is not valid any more';

CREATE FUNCTION totp_begin(p_user bigint, p_sealed bytea) RETURNS text
LANGUAGE sql AS $$
	WITH made AS (
		INSERT INTO second_factors AS f (user_id, sealed) VALUES (p_user, p_sealed)
		ON CONFLICT (user_id) DO UPDATE SET sealed = p_sealed, created_at = clock_timestamp()
			WHERE f.confirmed_at IS NULL
		RETURNING 1)
	SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'ok' ELSE 'mfa_on' END
$$;
COMMENT ON FUNCTION totp_begin(bigint, bytea) IS 'Stores a secret that does not count before totp_confirm(); mfa_on: the account has a second factor';

CREATE FUNCTION recovery_codes_set(p_user bigint, p_codes bytea[]) RETURNS void
LANGUAGE sql AS $$
	DELETE FROM recovery_codes c WHERE c.user_id = p_user;
	INSERT INTO recovery_codes (user_id, code_hash) SELECT p_user, n FROM unnest(p_codes) n;
$$;
COMMENT ON FUNCTION recovery_codes_set(bigint, bytea[]) IS 'Replaces the recovery codes of a user';

CREATE FUNCTION totp_confirm(p_user bigint, p_login bigint, p_sealed bytea, p_step bigint, p_codes bytea[])
RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_user AND NOT u.disabled FOR NO KEY UPDATE;
	UPDATE second_factors f SET confirmed_at = clock_timestamp(), last_step = p_step
		WHERE f.user_id = p_user AND f.sealed = p_sealed AND f.confirmed_at IS NULL;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[];
		RETURN;
	END IF;
	UPDATE users u SET second_factor = true, updated_at = clock_timestamp() WHERE u.id = p_user;
	PERFORM recovery_codes_set(p_user, p_codes);
	PERFORM audit_add('second factor turned on', 'user:' || p_user);
	RETURN QUERY SELECT 'ok', logins_end(p_user, p_login, 'others', 'second factor');
END $$;
COMMENT ON FUNCTION totp_confirm(bigint, bigint, bytea, bigint, bytea[]) IS 'Turns the second factor on: ends the other login sessions and gives their ids. not_found: this secret does not wait for it';

CREATE FUNCTION recovery_codes_renew(p_user bigint, p_sealed bytea, p_step bigint, p_recovery bytea, p_codes bytea[]) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_user AND u.second_factor FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN 'mfa_off';
	END IF;
	IF NOT second_factor_take(p_user, p_sealed, p_step, p_recovery) THEN
		RETURN 'wrong';
	END IF;
	PERFORM recovery_codes_set(p_user, p_codes);
	PERFORM audit_add('recovery codes replaced', 'user:' || p_user);
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION recovery_codes_renew(bigint, bytea, bigint, bytea, bytea[]) IS 'New recovery codes for a code; ok, wrong (the code), mfa_off (there is no second factor)';

CREATE FUNCTION second_factor_remove(p_user bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	v_had boolean;
BEGIN
	SELECT u.second_factor INTO v_had FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;
	DELETE FROM mfa_tickets t WHERE t.user_id = p_user;
	DELETE FROM second_factors f WHERE f.user_id = p_user;
	DELETE FROM recovery_codes c WHERE c.user_id = p_user;
	UPDATE users u SET second_factor = false, updated_at = clock_timestamp() WHERE u.id = p_user AND u.second_factor;
	IF v_had THEN
		PERFORM audit_add('second factor removed', 'user:' || p_user);
	END IF;
	RETURN coalesce(v_had, false);
END $$;
COMMENT ON FUNCTION second_factor_remove(bigint) IS 'Removes the second factor and the recovery codes of a user; false: there was none';

CREATE FUNCTION totp_off(p_user bigint, p_sealed bytea, p_step bigint, p_recovery bytea) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_user AND u.second_factor FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN 'mfa_off';
	END IF;
	IF NOT second_factor_take(p_user, p_sealed, p_step, p_recovery) THEN
		RETURN 'wrong';
	END IF;
	PERFORM second_factor_remove(p_user);
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION totp_off(bigint, bytea, bigint, bytea) IS 'Removes the second factor for a code; ok, wrong (the code), mfa_off (there is no second factor)';

-- A password that was right and is not any more: the second step of such a login must fail.
CREATE FUNCTION mfa_tickets_end() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	DELETE FROM mfa_tickets t WHERE t.user_id = NEW.id;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION mfa_tickets_end() IS 'Ends the tickets of an account that has another password or was disabled';
CREATE TRIGGER mfa_tickets_end AFTER UPDATE OF password_changed_at, disabled ON users
	FOR EACH ROW WHEN (OLD.password_changed_at IS DISTINCT FROM NEW.password_changed_at OR (NEW.disabled AND NOT OLD.disabled))
	EXECUTE FUNCTION mfa_tickets_end();
