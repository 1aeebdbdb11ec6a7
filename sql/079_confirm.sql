-- SPDX-License-Identifier: ISC
-- Sensitive acts of users on their own account. The server compares the password; the transaction of the act checks
-- that nothing has changed since then, and uses the code of the second factor up: confirm_take(). Also closes gaps
-- between deletions of accounts and other requests.

CREATE TYPE confirmation AS (
	user_id       bigint,
	login_id      bigint,
	password_hash text,
	sealed        bytea,
	step          bigint,
	recovery      bytea,
	address       text
);
COMMENT ON TYPE confirmation IS 'What a user gave to confirm an act: the hash that the password fits (NULL: the account has no password), and the code of the second factor as in second_factor_take(); who, in which login session, from which address';

-- A login session of an account without a password always began at an identity provider.
CREATE FUNCTION login_recent(p_user bigint, p_login bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM login_sessions l WHERE l.id = p_login AND l.user_id = p_user AND l.kind = 'login' AND l.ended_at IS NULL
		AND l.created_at > clock_timestamp() - interval '5 minutes')
$$;
COMMENT ON FUNCTION login_recent(bigint, bigint) IS 'Has this login session begun within the last 5 minutes?';

CREATE FUNCTION confirm_take(p_by confirmation) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_user users;
BEGIN
	SELECT u.* INTO v_user FROM users u WHERE u.id = p_by.user_id AND NOT u.disabled FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN 'revoked';
	ELSIF v_user.password_hash IS DISTINCT FROM p_by.password_hash THEN
		RETURN 'unconfirmed';
	ELSIF v_user.password_hash IS NULL AND NOT login_recent(p_by.user_id, p_by.login_id) THEN
		RETURN 'sign_in_again';
	ELSIF (v_user.password_hash IS NOT NULL OR v_user.second_factor) AND login_locked(p_by.user_id, p_by.address) THEN
		RETURN 'unconfirmed';
	ELSIF v_user.second_factor AND NOT second_factor_take(p_by.user_id, p_by.sealed, p_by.step, p_by.recovery) THEN
		RETURN 'wrong';
	END IF;
	IF v_user.second_factor AND p_by.step IS NULL THEN
		PERFORM audit_add('recovery code used', 'user:' || p_by.user_id);
	END IF;
	DELETE FROM login_locks l WHERE l.user_id = p_by.user_id AND l.prefix = address_prefix(p_by.address);
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION confirm_take(confirmation) IS 'Checks a confirmation in the transaction of the act, uses the code up, and forgets the failed logins from this network; the account stays locked until the transaction ends. ok, revoked (the account is gone or disabled), unconfirmed (another password by now, or logins from this network are locked), sign_in_again (the account has no password, and the login is older than 5 minutes), wrong (the code)';

-- ---- the acts ----

CREATE FUNCTION own_password(p_by confirmation, p_hash text) RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := confirm_take(p_by);
BEGIN
	IF v_status = 'ok' THEN
		RETURN QUERY SELECT n.status, n.ended FROM user_password(p_by.user_id, p_hash, p_by.login_id) n;
	ELSE
		RETURN QUERY SELECT v_status, '{}'::bigint[];
	END IF;
END $$;
COMMENT ON FUNCTION own_password(confirmation, text) IS 'user_password() after confirm_take(): a user sets the own password, and keeps this login session only';

CREATE FUNCTION own_email(p_by confirmation, p_email text, p_mail boolean) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := confirm_take(p_by);
BEGIN
	RETURN CASE WHEN v_status = 'ok' THEN email_change(p_by.user_id, p_email, p_mail) ELSE v_status END;
END $$;
COMMENT ON FUNCTION own_email(confirmation, text, boolean) IS 'email_change() after confirm_take()';

DROP FUNCTION account_delete_own(bigint, text, bytea, bigint, bytea, boolean);
CREATE FUNCTION account_delete_own(p_by confirmation, p_erase boolean) RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	v_user users;
	v_status text;
BEGIN
	PERFORM 1 FROM users u WHERE u.access = 'admin' AND NOT u.disabled OR u.id = p_by.user_id ORDER BY u.id FOR NO KEY UPDATE;
	v_status := confirm_take(p_by);
	IF v_status = 'ok' AND account_last_admin(p_by.user_id) THEN
		v_status := 'last_admin';
	END IF;
	IF v_status = 'ok' THEN
		SELECT * INTO v_user FROM users u WHERE u.id = p_by.user_id;
		RETURN QUERY SELECT 'ok', account_bury(v_user, p_erase);
	ELSE
		RETURN QUERY SELECT v_status, '{}'::bigint[];
	END IF;
END $$;
COMMENT ON FUNCTION account_delete_own(confirmation, boolean) IS 'Deletes the account of the caller: as confirm_take(), with the login sessions that ended; last_admin';

CREATE FUNCTION own_totp_begin(p_by confirmation, p_sealed bytea) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := 'mfa_on';
BEGIN
	IF NOT EXISTS (SELECT FROM users u WHERE u.id = p_by.user_id AND u.second_factor) THEN
		v_status := confirm_take(p_by);
	END IF;
	RETURN CASE WHEN v_status = 'ok' THEN totp_begin(p_by.user_id, p_sealed) ELSE v_status END;
END $$;
COMMENT ON FUNCTION own_totp_begin(confirmation, bytea) IS 'totp_begin() after confirm_take(); mfa_on: the account has a second factor';

DROP FUNCTION totp_off(bigint, bytea, bigint, bytea);
CREATE FUNCTION own_totp_off(p_by confirmation) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := 'mfa_off';
BEGIN
	IF EXISTS (SELECT FROM users u WHERE u.id = p_by.user_id AND u.second_factor) THEN
		v_status := confirm_take(p_by);
	END IF;
	IF v_status = 'ok' THEN
		PERFORM second_factor_remove(p_by.user_id);
	END IF;
	RETURN v_status;
END $$;
COMMENT ON FUNCTION own_totp_off(confirmation) IS 'Removes the second factor of the caller: as confirm_take(); mfa_off (there is none)';

DROP FUNCTION recovery_codes_renew(bigint, bytea, bigint, bytea, bytea[]);
CREATE FUNCTION own_recovery_codes(p_by confirmation, p_codes bytea[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := 'mfa_off';
BEGIN
	IF EXISTS (SELECT FROM users u WHERE u.id = p_by.user_id AND u.second_factor) THEN
		v_status := confirm_take(p_by);
	END IF;
	IF v_status = 'ok' THEN
		PERFORM recovery_codes_set(p_by.user_id, p_codes);
		PERFORM audit_add('recovery codes replaced', 'user:' || p_by.user_id);
	END IF;
	RETURN v_status;
END $$;
COMMENT ON FUNCTION own_recovery_codes(confirmation, bytea[]) IS 'New recovery codes for the caller: as confirm_take(); mfa_off (there is no second factor)';

CREATE FUNCTION own_link_begin(p_by confirmation, p_state bytea, p_browser bytea, p_provider text, p_issuer text, p_return_to text)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := confirm_take(p_by);
BEGIN
	IF v_status = 'ok' THEN
		PERFORM oidc_begin(p_state, p_browser, p_provider, p_issuer, p_return_to, NULL, p_by.user_id, p_by.login_id);
	END IF;
	RETURN v_status;
END $$;
COMMENT ON FUNCTION own_link_begin(confirmation, bytea, bytea, text, text, text) IS 'oidc_begin() after confirm_take(): a user begins to link a provider';

CREATE FUNCTION own_unlink(p_by confirmation, p_id bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := confirm_take(p_by);
BEGIN
	RETURN CASE WHEN v_status = 'ok' THEN oidc_unlink(p_by.user_id, p_id) ELSE v_status END;
END $$;
COMMENT ON FUNCTION own_unlink(confirmation, bigint) IS 'oidc_unlink() after confirm_take()';

-- ---- deletions and other requests ----

CREATE OR REPLACE FUNCTION user_patch(p_id bigint, p_email text, p_name text) RETURNS TABLE (status text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_id AND u.deleted_at IS NULL FOR UPDATE;
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

-- The links go at once, so that a sign-in at the provider does not find the tombstone.
CREATE FUNCTION identities_end() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	DELETE FROM user_identities i WHERE i.user_id = NEW.id;
	DELETE FROM oidc_flows f WHERE f.user_id = NEW.id;
	DELETE FROM oidc_codes c WHERE c.user_id = NEW.id;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION identities_end() IS 'Unlinks a deleted account from identity providers';
CREATE TRIGGER identities_end AFTER UPDATE OF deleted_at ON users
	FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION identities_end();
DELETE FROM user_identities i USING users u WHERE u.id = i.user_id AND u.deleted_at IS NOT NULL;

CREATE OR REPLACE FUNCTION account_mail_due(p_job jobs, p_user users, p_to text, p_first boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	v_what text := p_job.payload ->> 'what';
	v_called text := CASE v_what WHEN 'reset' THEN 'password reset' ELSE 'e-mail verification' END;
	v_why text;
BEGIN
	IF p_user.deleted_at IS NOT NULL THEN
		RETURN false;
	ELSIF v_what NOT IN ('reset', 'verify', 'change') THEN
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

-- An address that nobody has verified may be that of a stranger, who need not know.
CREATE OR REPLACE FUNCTION email_change(p_user bigint, p_email text, p_mail boolean) RETURNS text
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
		IF lower(v_user.email) <> lower(p_email) AND v_user.email_verified_at IS NOT NULL AND (SELECT count(*) FROM jobs j
			WHERE j.kind = 'account_mail' AND j.payload ->> 'what' = 'moving' AND j.payload ->> 'user' = p_user::text
			AND j.created_at > clock_timestamp() - interval '1 hour') < 3
		THEN
			PERFORM account_mail_add(jsonb_build_object('what', 'moving', 'user', p_user, 'to', v_user.email), interval '3 days');
		END IF;
	END IF;
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION email_change(bigint, text, boolean) IS 'Another address for a user: mails a link to it, after whose use it counts, and a notice to the one of now if it is verified, at most three an hour; without mail (p_mail false) it counts at once, not verified. ok, not_found, same (the user has it), taken_email';

CREATE OR REPLACE FUNCTION job_drop(p_id uuid) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE jobs j SET state = 'dropped', finished_at = coalesce(j.finished_at, clock_timestamp())
		WHERE j.id = p_id AND j.state IN ('waiting', 'dead') AND j.kind <> 'account_delete';
	RETURN CASE WHEN FOUND THEN 'ok' ELSE coalesce((SELECT CASE WHEN j.kind = 'account_delete' AND j.state IN ('waiting', 'dead')
		THEN 'needed' ELSE j.state END FROM jobs j WHERE j.id = p_id), 'not_found') END;
END $$;
COMMENT ON FUNCTION job_drop(uuid) IS 'Gives up a job that waits or is dead: ok, not_found, running, done, dropped, needed (it deletes an account, of which nothing must stay)';

CREATE OR REPLACE FUNCTION admin_job(p_actor bigint, p_id uuid, p_verb text) RETURNS text
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
		WHEN v_status IN ('running', 'done', 'dropped', 'exists', 'needed') THEN 'job_' || v_status ELSE 'conflict' END;
END $$;
COMMENT ON FUNCTION admin_job(bigint, uuid, text) IS 'job_retry() or job_drop() on behalf of p_actor; ok, forbidden, not_found, job_running, job_done, job_dropped, job_needed, job_exists (a newer one of its key), conflict (its state changed meanwhile)';

-- The time-out must not approve what nobody could refuse.
CREATE FUNCTION feedback_outcome(p_request feedback_requests) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN p_request.on_timeout = 'approve' AND EXISTS (SELECT FROM users u WHERE u.id = p_request.asked_id
		AND u.deleted_at IS NOT NULL) THEN 'deny' ELSE nullif(p_request.on_timeout, 'wait') END
$$;
COMMENT ON FUNCTION feedback_outcome(feedback_requests) IS 'Outcome of a request at its time-out: on_timeout, but deny for approve if the user who is asked has deleted the account; NULL: it stays open';

CREATE OR REPLACE FUNCTION feedback_request_answer(p_id uuid, p_user bigint, p_decline boolean, p_answer text, p_comment text)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_row feedback_requests;
BEGIN
	SELECT * INTO v_row FROM feedback_requests r WHERE r.id = p_id FOR UPDATE;
	IF NOT FOUND OR (p_user <> 0 AND p_user <> v_row.asker_id AND v_row.asked_id IS DISTINCT FROM p_user) THEN
		RETURN 'not_found';
	ELSIF p_user <> 0 AND v_row.asked_id IS DISTINCT FROM p_user THEN
		RETURN 'forbidden';
	ELSIF v_row.status NOT IN ('created', 'sent') THEN
		RETURN 'closed';
	ELSIF v_row.on_timeout <> 'wait' AND v_row.due_at <= clock_timestamp() THEN
		PERFORM feedback_request_end(p_id, 'expired', feedback_outcome(v_row), NULL, NULL, NULL, NULL);
		RETURN 'closed';
	ELSIF NOT p_decline AND v_row.options IS NOT NULL AND NOT v_row.options ? p_answer THEN
		RETURN 'no_option';
	END IF;
	PERFORM feedback_request_end(p_id, CASE WHEN p_decline THEN 'declined' ELSE 'answered' END, NULL,
		CASE WHEN NOT p_decline THEN p_answer END, nullif(p_comment, ''), nullif(p_user, 0),
		CASE WHEN p_user <> 0 THEN 'web' ELSE v_row.channel END);
	RETURN 'ok';
END $$;

CREATE OR REPLACE FUNCTION feedback_requests_due(p_limit integer)
RETURNS TABLE (id text, asker_id bigint, asked_id bigint, asker text, question text, status text, outcome text, due_at timestamptz)
LANGUAGE sql AS $$
	WITH due AS (
		SELECT r.id, feedback_outcome(r) AS outcome FROM feedback_requests r WHERE r.status IN ('created', 'sent')
			AND r.timed_out_at IS NULL AND r.due_at <= now() ORDER BY r.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
	), handled AS (
		UPDATE feedback_requests r SET timed_out_at = clock_timestamp(),
			status = CASE WHEN r.on_timeout = 'wait' THEN r.status ELSE 'expired' END,
			outcome = due.outcome,
			ended_at = CASE WHEN r.on_timeout <> 'wait' THEN clock_timestamp() END
		FROM due WHERE r.id = due.id RETURNING r.*
	), dropped AS (
		UPDATE jobs j SET state = 'dropped', finished_at = clock_timestamp() FROM handled h
		WHERE h.status = 'expired' AND j.request_id = h.id AND j.state = 'waiting'
	)
	SELECT h.id::text, h.asker_id, coalesce(h.asked_id, 0), u.username, h.question, h.status, h.outcome, h.due_at
	FROM handled h JOIN users u ON u.id = h.asker_id ORDER BY h.due_at
$$;
