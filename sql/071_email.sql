-- SPDX-License-Identifier: ISC
-- E-mail addresses: verified by a link, changed by a link, unique once they are verified.

ALTER TABLE users ADD COLUMN email_verified_at timestamptz;
COMMENT ON COLUMN users.email IS 'E-mail address; unique regardless of case among verified ones; NULL when not given';
COMMENT ON COLUMN users.email_verified_at IS 'When the address was proved to be of this user, by a link that was mailed to it or by the operator''s word; NULL: not proved';
DROP INDEX users_email;
CREATE INDEX users_email ON users (lower(email));
COMMENT ON INDEX users_email IS 'Log-in by address';
CREATE UNIQUE INDEX users_email_verified ON users (lower(email)) WHERE email_verified_at IS NOT NULL;
COMMENT ON INDEX users_email_verified IS 'A verified address belongs to one account';

CREATE FUNCTION email_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF lower(NEW.email) IS DISTINCT FROM lower(OLD.email) AND NEW.email_verified_at IS NOT DISTINCT FROM OLD.email_verified_at THEN
		NEW.email_verified_at := NULL;
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION email_changed() IS 'Another address is not verified';
CREATE TRIGGER email_changed BEFORE UPDATE OF email ON users FOR EACH ROW EXECUTE FUNCTION email_changed();

CREATE FUNCTION email_taken(p_user bigint, p_email text) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM users u WHERE lower(u.email) = lower(p_email) AND u.email_verified_at IS NOT NULL
		AND u.id IS DISTINCT FROM p_user)
$$;
COMMENT ON FUNCTION email_taken(bigint, text) IS 'Is this the verified address of an account other than p_user?';

CREATE FUNCTION email_vouch(p_user bigint) RETURNS void
LANGUAGE sql AS $$
	UPDATE users SET email_verified_at = clock_timestamp() WHERE id = p_user AND email IS NOT NULL
$$;
COMMENT ON FUNCTION email_vouch(bigint) IS 'The operator says that the address of this account is right';

CREATE OR REPLACE FUNCTION user_create(p_username text, p_email text, p_name text, p_password_hash text, p_access text)
RETURNS TABLE (status text, id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint := nextval(pg_get_serial_sequence('users', 'id'));
	v_key text := shown_key(p_name);
BEGIN
	INSERT INTO names (name, kind, id) VALUES (lower(p_username), 'user', v_id) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'taken_name', NULL::bigint;
		RETURN;
	END IF;
	IF email_taken(NULL, p_email) THEN
		DELETE FROM names n WHERE n.kind = 'user' AND n.id = v_id;
		RETURN QUERY SELECT 'taken_email', NULL::bigint;
		RETURN;
	END IF;
	IF v_key IS NOT NULL AND NOT shown_claim(v_id, v_key) THEN
		DELETE FROM names n WHERE n.kind = 'user' AND n.id = v_id;
		RETURN QUERY SELECT 'taken_shown', NULL::bigint;
		RETURN;
	END IF;
	INSERT INTO users (id, username, email, name, password_hash, access) OVERRIDING SYSTEM VALUE
		VALUES (v_id, p_username, p_email, p_name, p_password_hash, p_access);
	RETURN QUERY SELECT 'ok', v_id;
END $$;
COMMENT ON FUNCTION user_create(text, text, text, text, text) IS 'New account; status ok, taken_name, taken_email (somebody else has verified it), taken_shown (the display name reads like the name of another user or a role)';

CREATE OR REPLACE FUNCTION user_patch(p_id bigint, p_email text, p_name text) RETURNS TABLE (status text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_id FOR UPDATE;
	IF NOT FOUND THEN
		status := 'not_found';
		RETURN NEXT;
		RETURN;
	END IF;
	IF email_taken(p_id, p_email) THEN
		status := 'taken_email';
		RETURN NEXT;
		RETURN;
	END IF;
	BEGIN
		UPDATE users u SET
			email = CASE WHEN p_email IS NULL THEN u.email ELSE nullif(p_email, '') END,
			name = CASE WHEN p_name IS NULL THEN u.name ELSE nullif(p_name, '') END,
			updated_at = clock_timestamp()
		WHERE u.id = p_id;
	EXCEPTION WHEN SQLSTATE 'PA002' THEN
		status := 'taken_shown';
		RETURN NEXT;
		RETURN;
	END;
	status := 'ok';
	RETURN NEXT;
	RETURN;
END $$;
COMMENT ON FUNCTION user_patch(bigint, text, text) IS 'Changes e-mail address, which is then not verified, and name (NULL: unchanged, empty: none); ok, not_found, taken_email (somebody else has verified it), taken_shown';

CREATE OR REPLACE FUNCTION import_user(p_source text, r jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_hash text := r ->> 'password_hash';
	v_at timestamptz := import_time(r, 'created_at');
	v_made record;
BEGIN
	PERFORM import_rule(name_ok(r ->> 'username'), 'username must be 1 to 32 of letters, digits, _ . -, not all digits, no reserved word');
	PERFORM import_rule(coalesce(r ->> 'email' ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND length(r ->> 'email') <= 254, r ->> 'email' IS NULL), 'email must be an address');
	PERFORM import_rule(length(r ->> 'name') BETWEEN 1 AND 128 OR r ->> 'name' IS NULL, 'name must have 1 to 128 characters');
	PERFORM import_rule(v_hash IS NULL OR v_hash ~ '^\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}$' OR (v_hash LIKE '$argon2id$v=19$%'
		AND length(v_hash) < 128), 'password_hash must be bcrypt ($2a$, $2b$, $2y$, cost 4 to 16) or Argon2id');
	PERFORM import_rule(coalesce(r ->> 'access', 'user') IN ('user', 'analyst', 'operator', 'admin'), 'access must be user, analyst, operator or admin');
	SELECT * INTO v_made FROM user_create(r ->> 'username', r ->> 'email', r ->> 'name', v_hash, coalesce(r ->> 'access', 'user'));
	PERFORM import_rule(v_made.status <> 'taken_name', format('username %s is taken, or is the display name of another user',
		r ->> 'username'));
	PERFORM import_rule(v_made.status <> 'taken_email', format('email %s is taken', r ->> 'email'));
	PERFORM import_rule(v_made.status <> 'taken_shown', format('name %s is the username of another user, or the name of a role',
		r ->> 'name'));
	UPDATE users u SET created_at = coalesce(v_at, u.created_at), disabled = coalesce((r ->> 'disabled')::boolean, false)
		WHERE u.id = v_made.id;
	IF (r ->> 'email_verified')::boolean THEN
		PERFORM email_vouch(v_made.id);
	END IF;
	RETURN v_made.id;
END $$;

-- Mails about accounts: beside links for a new password those that verify an address, and notices of a change.

ALTER TABLE account_tokens DROP CONSTRAINT account_tokens_purpose_check;
ALTER TABLE account_tokens ADD CONSTRAINT account_tokens_purpose_check CHECK (purpose IN ('reset', 'verify', 'change'));
CREATE INDEX account_tokens_email ON account_tokens (lower(email), created_at);
COMMENT ON INDEX account_tokens_email IS 'How many mails an address got';
COMMENT ON TABLE account_tokens IS 'Tokens of links that were mailed to users: each is valid once; reset for an hour, the others for a day';
COMMENT ON COLUMN account_tokens.purpose IS 'What the link does: reset (a new password), verify (the address of the account is right), change (the account gets this address)';

CREATE FUNCTION account_mail_add(p_payload jsonb, p_life interval) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO jobs (kind, key, lane, payload, give_up_at)
	VALUES ('account_mail', (p_payload ->> 'what') || ' ' || gen_random_uuid(), 'account', p_payload, clock_timestamp() + p_life)
$$;
COMMENT ON FUNCTION account_mail_add(jsonb, interval) IS 'Queues a mail about an account';

CREATE FUNCTION email_verify_ask(p_login text, p_user bigint, p_address text, p_request text) RETURNS void
LANGUAGE sql AS $$
	SELECT account_mail_add(jsonb_strip_nulls(jsonb_build_object('what', 'verify', 'login', p_login, 'user', p_user,
		'address', p_address, 'request', p_request)), interval '1 day')
$$;
COMMENT ON FUNCTION email_verify_ask(text, bigint, text, text) IS 'Queues the mail with a link that verifies an address, for p_user or for the account with this user name or address; the same work when there is none';

CREATE FUNCTION account_mail_user(p_login text) RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT u.id FROM users u WHERE lower(u.username) = lower(p_login) OR (lower(u.email) = lower(p_login)
		AND (u.email_verified_at IS NOT NULL OR NOT EXISTS (SELECT FROM users o WHERE lower(o.email) = lower(p_login) AND o.id <> u.id)))
$$;
COMMENT ON FUNCTION account_mail_user(text) IS 'Account with this user name, or with this address if it has verified it or is the only one with it; NULL: none, or several have the address and none has verified it';

-- May this mail still go out? Also notes why not, where the operator should know. The row of the user is locked.
CREATE FUNCTION account_mail_due(p_job jobs, p_user users, p_to text, p_first boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	v_what text := p_job.payload ->> 'what';
	v_called text := CASE v_what WHEN 'reset' THEN 'password reset' ELSE 'e-mail verification' END;
	v_why text;
BEGIN
	IF v_what NOT IN ('reset', 'verify', 'change') THEN
		RETURN true;
	END IF;
	IF p_user.disabled OR p_to IS NULL OR (v_what = 'verify' AND p_user.email_verified_at IS NOT NULL)
		OR (v_what <> 'verify' AND p_user.password_changed_at >= p_job.created_at) THEN
		RETURN false;
	END IF;
	IF v_what <> 'change' AND email_taken(p_user.id, p_to) THEN
		v_why := 'another account has verified the address';
	ELSIF (SELECT count(DISTINCT t.job_id) FROM account_tokens t WHERE t.user_id = p_user.id AND (t.purpose = 'reset') = (v_what = 'reset')
		AND t.created_at > clock_timestamp() - interval '1 hour' AND t.job_id <> p_job.id) >= 3 THEN
		v_why := 'three mails in an hour';
	ELSIF (SELECT count(DISTINCT t.job_id) FROM account_tokens t WHERE lower(t.email) = lower(p_to)
		AND t.created_at > clock_timestamp() - interval '1 hour' AND t.job_id <> p_job.id) >= 10 THEN
		v_why := 'ten mails to the address in an hour';
	END IF;
	IF v_why IS NOT NULL OR p_first THEN
		INSERT INTO audit (actor_id, action, target, address, request_id) VALUES (0,
			v_called || CASE WHEN v_why IS NULL THEN ' asked for' ELSE ' refused: ' || v_why END,
			'user:' || p_user.id, p_job.payload ->> 'address', p_job.payload ->> 'request');
	END IF;
	RETURN v_why IS NULL;
END $$;
COMMENT ON FUNCTION account_mail_due(jobs, users, text, boolean) IS 'Should the courier send this mail about an account? No, if nobody waits for it any more or too many were sent';

-- Somebody may have named the address of another, so that several accounts have it: each gets a mail that names it. The oldest
-- come first, so that nobody keeps mails from the owner of the address with new accounts.
CREATE FUNCTION account_mail_each(p_job jobs, p_life interval) RETURNS void
LANGUAGE sql AS $$
	SELECT account_mail_add(p_job.payload || jsonb_build_object('user', m.id), p_job.created_at + p_life - clock_timestamp())
	FROM (SELECT u.id FROM users u WHERE lower(u.email) = lower(p_job.payload ->> 'login') AND NOT u.disabled
		AND NOT email_taken(u.id, u.email) ORDER BY u.id LIMIT 3) m
$$;
COMMENT ON FUNCTION account_mail_each(jobs, interval) IS 'One mail for each account, but at most three, with this address, which nobody has verified';

CREATE OR REPLACE FUNCTION account_mail_make(p_job jobs, OUT action text, OUT lane text, OUT payload jsonb)
LANGUAGE plpgsql AS $$
DECLARE
	v_user users;
	v_what text := p_job.payload ->> 'what';
	v_id bigint := (p_job.payload ->> 'user')::bigint;
	v_first boolean := p_job.payload ? 'login';
	v_life interval := CASE v_what WHEN 'reset' THEN interval '1 hour' WHEN 'verify' THEN interval '1 day' WHEN 'change' THEN interval '1 day' END;
	v_to text;
	v_token text;
BEGIN
	action := 'drop';
	IF p_job.created_at < clock_timestamp() - v_life THEN
		RETURN;
	END IF;
	IF v_id IS NULL THEN
		v_id := account_mail_user(p_job.payload ->> 'login');
		IF v_id IS NULL THEN
			PERFORM account_mail_each(p_job, v_life);
		END IF;
	END IF;
	PERFORM 1 FROM users u WHERE u.id = v_id;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	-- counts one mail at a time, and does not wait: this courier has more to do
	SELECT u.* INTO v_user FROM users u WHERE u.id = v_id FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		action := 'wait';
		RETURN;
	END IF;
	v_to := coalesce(p_job.payload ->> 'to', v_user.email);
	IF NOT account_mail_due(p_job, v_user, v_to, v_first) THEN
		RETURN;
	END IF;
	action := 'send';
	lane := mail_lane(v_to);
	payload := jsonb_build_object('what', v_what, 'to', v_to, 'username', v_user.username);
	IF v_life IS NOT NULL THEN
		v_token := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
		INSERT INTO account_tokens (token_hash, purpose, user_id, email, job_id, expires_at)
			VALUES (sha256(convert_to(v_token, 'UTF8')), v_what, v_id, v_to, p_job.id, clock_timestamp() + v_life);
		payload := payload || jsonb_build_object('token', v_token);
	END IF;
	UPDATE jobs j SET lane = mail_lane(v_to), payload = jsonb_strip_nulls(jsonb_build_object('what', v_what, 'user', v_id,
		'to', p_job.payload ->> 'to')) WHERE j.id = p_job.id;
END $$;
COMMENT ON FUNCTION account_mail_make(jobs) IS 'Looks up whom a mail about an account goes to and makes its token; the job keeps only the number of the account, and an address that is not its own. drop: nobody, several (each gets a mail of its own), nobody waits for it any more, another account has verified the address, or too many were sent within an hour';
COMMENT ON COLUMN jobs.payload IS 'What the kind needs. mail: to, subject, body; the last two are absent when they are made from the feedback request, because its link is a secret. account_mail: what, and login until the account is looked up, then user; to: another address than that of the account; never the link';

-- A new password also ends a change of the address that is under way: the user may not have begun it.
CREATE OR REPLACE FUNCTION account_tokens_end(p_user bigint) RETURNS void
LANGUAGE sql AS $$
	UPDATE account_tokens SET used_at = clock_timestamp()
	WHERE user_id = p_user AND purpose IN ('reset', 'change') AND used_at IS NULL
$$;
COMMENT ON FUNCTION account_tokens_end(bigint) IS 'Ends the validity of the links for a new password and for another address that were mailed for this account';

-- A link that arrived proves the address, verified or not: the mail went only there.
CREATE OR REPLACE FUNCTION password_reset_user(p_token_hash bytea) RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT u.id FROM account_tokens t JOIN users u ON u.id = t.user_id WHERE t.token_hash = p_token_hash AND t.purpose = 'reset'
		AND t.used_at IS NULL AND t.expires_at > clock_timestamp() AND NOT u.disabled AND u.email = t.email
		AND NOT email_taken(u.id, u.email)
$$;
COMMENT ON FUNCTION password_reset_user(bytea) IS 'Account whose password this token resets; NULL: the token is unknown, used, or expired, or the account is disabled or has another address, or another account has verified the address';

CREATE OR REPLACE FUNCTION password_reset(p_token_hash bytea, p_hash text, p_address text, p_request text)
RETURNS TABLE (status text, ended bigint[], user_id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint := password_reset_user(p_token_hash);
	v_proved boolean;
BEGIN
	PERFORM 1 FROM users u WHERE u.id = v_id FOR NO KEY UPDATE;
	IF NOT FOUND OR password_reset_user(p_token_hash) IS DISTINCT FROM v_id THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[], 0::bigint;
		RETURN;
	END IF;
	BEGIN
		UPDATE users u SET email_verified_at = clock_timestamp() WHERE u.id = v_id AND u.email_verified_at IS NULL;
		v_proved := FOUND;
	EXCEPTION WHEN unique_violation THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[], 0::bigint;
		RETURN;
	END;
	IF v_proved THEN
		INSERT INTO audit (actor_id, action, target, address, request_id)
			VALUES (v_id, 'e-mail address verified', 'user:' || v_id, p_address, p_request);
	END IF;
	INSERT INTO audit (actor_id, action, target, address, request_id)
		VALUES (v_id, 'password reset', 'user:' || v_id, p_address, p_request);
	RETURN QUERY SELECT n.status, n.ended, v_id FROM user_password(v_id, p_hash, 0) n;
END $$;
COMMENT ON FUNCTION password_reset(bytea, text, text, text) IS 'New password for the account that the token is for: its address is then verified, all its login sessions end, and all its tokens for that; gives the ids. not_found: as password_reset_user()';

CREATE FUNCTION email_change(p_user bigint, p_email text, p_mail boolean) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_user users;
	v_status text;
BEGIN
	SELECT u.* INTO v_user FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;
	IF NOT FOUND OR v_user.disabled THEN
		RETURN 'not_found';
	END IF;
	IF lower(v_user.email) = lower(p_email) AND (v_user.email_verified_at IS NOT NULL OR NOT p_mail) THEN
		RETURN 'same';
	END IF;
	IF NOT p_mail THEN
		SELECT n.status INTO v_status FROM user_patch(p_user, p_email, NULL) n;
		IF v_status <> 'ok' THEN
			RETURN v_status;
		END IF;
	ELSE
		PERFORM account_mail_add(jsonb_build_object('what', 'change', 'user', p_user, 'to', p_email, 'address', c.address,
			'request', c.request), interval '1 day') FROM audit_caller() c;
		PERFORM audit_add('e-mail address change asked for', 'user:' || p_user);
		IF lower(v_user.email) <> lower(p_email) THEN
			PERFORM account_mail_add(jsonb_build_object('what', 'moving', 'user', p_user, 'to', v_user.email), interval '3 days');
		END IF;
	END IF;
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION email_change(bigint, text, boolean) IS 'Another address for a user: mails a link to it, after whose use it counts, and a notice to the one of now; without mail (p_mail false) it counts at once, not verified. ok, not_found, same (the user has it), taken_email';

CREATE FUNCTION email_verify(p_token_hash bytea)
RETURNS TABLE (status text, user_id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_token account_tokens;
	v_user users;
	v_moved boolean;
BEGIN
	PERFORM 1 FROM users u WHERE u.id = (SELECT t.user_id FROM account_tokens t WHERE t.token_hash = p_token_hash) FOR NO KEY UPDATE;
	SELECT t.* INTO v_token FROM account_tokens t WHERE t.token_hash = p_token_hash AND t.purpose IN ('verify', 'change')
		AND t.used_at IS NULL AND t.expires_at > clock_timestamp();
	SELECT u.* INTO v_user FROM users u WHERE u.id = v_token.user_id AND NOT u.disabled
		AND (v_token.purpose = 'change' OR u.email = v_token.email);
	IF v_user.id IS NULL THEN
		RETURN QUERY SELECT 'not_found', 0::bigint;
		RETURN;
	END IF;
	v_moved := lower(v_user.email) IS DISTINCT FROM lower(v_token.email);
	BEGIN
		UPDATE users u SET email = v_token.email, email_verified_at = clock_timestamp(), updated_at = clock_timestamp()
			WHERE u.id = v_user.id;
	EXCEPTION WHEN unique_violation THEN
		RETURN QUERY SELECT 'taken_email', v_user.id;
		RETURN;
	END;
	UPDATE account_tokens t SET used_at = clock_timestamp() WHERE t.user_id = v_user.id AND t.used_at IS NULL
		AND (t.purpose <> 'reset' OR v_moved);
	PERFORM audit_add('e-mail address verified', 'user:' || v_user.id, NULL, NULL, v_user.id);
	IF v_moved AND v_user.email IS NOT NULL THEN
		PERFORM account_mail_add(jsonb_build_object('what', 'moved', 'user', v_user.id, 'to', v_user.email), interval '3 days');
	END IF;
	RETURN QUERY SELECT 'ok', v_user.id;
END $$;
COMMENT ON FUNCTION email_verify(bytea) IS 'Uses the token of a mailed link: its address is that of the account, and verified; ends the other such links. not_found: the token is unknown, used, or expired, or the account is disabled or has another address; taken_email: another account has verified the address, and the token is not used up';

-- An address that an operator sets is right. A link goes to no address that another account has verified.
CREATE OR REPLACE FUNCTION admin_user_create(p_actor bigint, p_username text, p_email text, p_name text, p_hash text, p_access text)
RETURNS TABLE (status text, id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_rank integer;
	v_made record;
BEGIN
	SELECT access_rank(u.access) INTO v_rank FROM users u WHERE u.id = p_actor AND NOT u.disabled FOR SHARE;
	IF coalesce(v_rank, 0) < 3 OR access_rank(p_access) > v_rank THEN
		RETURN QUERY SELECT CASE WHEN coalesce(v_rank, 0) < 3 THEN 'forbidden' ELSE 'not_above' END, 0::bigint;
		RETURN;
	END IF;
	SELECT n.status, n.id INTO v_made FROM user_create(p_username, p_email, p_name, p_hash, p_access) n;
	IF v_made.status = 'ok' THEN
		PERFORM email_vouch(v_made.id);
	END IF;
	RETURN QUERY SELECT v_made.status, coalesce(v_made.id, 0::bigint);
END $$;

CREATE OR REPLACE FUNCTION admin_reset(p_actor bigint, p_id bigint, p_address text, p_request text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := admin_may(p_actor, p_id);
	v_name text;
BEGIN
	IF v_status <> 'ok' THEN
		RETURN v_status;
	END IF;
	SELECT u.username INTO v_name FROM users u WHERE u.id = p_id AND u.email IS NOT NULL AND NOT u.disabled
		AND NOT email_taken(u.id, u.email);
	IF NOT FOUND THEN
		RETURN 'no_address';
	END IF;
	PERFORM password_reset_ask(v_name, p_address, p_request);
	PERFORM audit_add('password reset sent', 'user:' || p_id);
	RETURN 'ok';
END $$;
