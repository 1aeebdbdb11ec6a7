-- SPDX-License-Identifier: ISC
-- Resetting a forgotten password by mail. The request only queues a job, so that nobody learns from its time whether an
-- account exists. The account is looked up when a courier claims the job; only then is a token made, which is in the mail
-- and nowhere else.

ALTER TABLE users ADD COLUMN password_changed_at timestamptz;
COMMENT ON COLUMN users.password_changed_at IS 'When the password was last changed or reset; NULL: not since the account was made';

CREATE TABLE account_tokens (
	token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
	purpose    text NOT NULL CHECK (purpose IN ('reset')),
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	email      text NOT NULL,
	job_id     uuid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires_at timestamptz NOT NULL,
	used_at    timestamptz
);
CREATE INDEX account_tokens_user ON account_tokens (user_id, created_at);
CREATE INDEX account_tokens_old ON account_tokens (created_at);
COMMENT ON TABLE account_tokens IS 'Tokens of links that were mailed to users: each is valid once, for an hour';
COMMENT ON COLUMN account_tokens.token_hash IS 'SHA-256 of the token; the token itself is only in the mail';
COMMENT ON COLUMN account_tokens.purpose IS 'What the link does: reset (a new password)';
COMMENT ON COLUMN account_tokens.user_id IS 'Account that the link is for';
COMMENT ON COLUMN account_tokens.email IS 'Address that the mail went to; the token is invalid when the account has another one by now';
COMMENT ON COLUMN account_tokens.job_id IS 'Job that sent the mail; a mail that is sent again has another token';
COMMENT ON COLUMN account_tokens.created_at IS 'When it was made';
COMMENT ON COLUMN account_tokens.expires_at IS 'End of its validity';
COMMENT ON COLUMN account_tokens.used_at IS 'When it was used, or became invalid because the password changed; NULL: neither';

CREATE FUNCTION password_reset_ask(p_login text, p_address text, p_request text) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO jobs (kind, key, lane, payload, give_up_at)
	VALUES ('account_mail', 'reset ' || gen_random_uuid(), 'account',
		jsonb_build_object('what', 'reset', 'login', p_login, 'address', p_address, 'request', p_request),
		clock_timestamp() + interval '1 hour')
$$;
COMMENT ON FUNCTION password_reset_ask(text, text, text) IS 'Queues the mail with a link for a new password, for the account with this user name or address; the same work when there is none';

-- action: send (payload and lane are filled), wait (somebody changes the account right now), drop.
CREATE FUNCTION account_mail_make(p_job jobs, OUT action text, OUT lane text, OUT payload jsonb)
LANGUAGE plpgsql AS $$
DECLARE
	v_user users;
	v_id bigint := (p_job.payload ->> 'user')::bigint;
	v_token text;
	v_first boolean := v_id IS NULL;
BEGIN
	action := 'drop';
	IF p_job.created_at < clock_timestamp() - interval '1 hour' THEN
		RETURN;
	END IF;
	IF v_first THEN
		SELECT u.id INTO v_id FROM users u WHERE lower(u.username) = lower(p_job.payload ->> 'login')
			OR lower(u.email) = lower(p_job.payload ->> 'login')
			ORDER BY lower(u.username) = lower(p_job.payload ->> 'login') DESC LIMIT 1;
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
	IF v_user.disabled OR v_user.email IS NULL OR v_user.password_changed_at >= p_job.created_at THEN
		RETURN;
	END IF;
	IF (SELECT count(DISTINCT t.job_id) FROM account_tokens t WHERE t.user_id = v_id AND t.purpose = 'reset'
		AND t.created_at > clock_timestamp() - interval '1 hour' AND t.job_id <> p_job.id) >= 3 THEN
		INSERT INTO audit (actor_id, action, target, address, request_id) VALUES (0, 'password reset refused: three mails in an hour',
			'user:' || v_id, p_job.payload ->> 'address', p_job.payload ->> 'request');
		RETURN;
	END IF;
	IF v_first THEN
		INSERT INTO audit (actor_id, action, target, address, request_id) VALUES (0, 'password reset asked for',
			'user:' || v_id, p_job.payload ->> 'address', p_job.payload ->> 'request');
	END IF;
	v_token := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
	INSERT INTO account_tokens (token_hash, purpose, user_id, email, job_id, expires_at)
		VALUES (sha256(convert_to(v_token, 'UTF8')), 'reset', v_id, v_user.email, p_job.id, clock_timestamp() + interval '1 hour');
	action := 'send';
	lane := mail_lane(v_user.email);
	payload := jsonb_build_object('what', 'reset', 'to', v_user.email, 'username', v_user.username, 'token', v_token);
	UPDATE jobs j SET lane = mail_lane(v_user.email), payload = jsonb_build_object('what', 'reset', 'user', v_id) WHERE j.id = p_job.id;
END $$;
COMMENT ON FUNCTION account_mail_make(jobs) IS 'Looks up whom a mail about an account goes to and makes its token; the job keeps only the number of the account. drop: nobody, nobody waits for it any more, or three were sent within an hour';

CREATE OR REPLACE FUNCTION jobs_claim(p_owner text, p_kinds text[], p_lane_max bigint[], p_lanes text[], p_limit integer,
	p_lease_us bigint)
RETURNS TABLE (id text, kind text, lane text, payload text, tries integer, request_id text, asker text, question text,
	context text, options text, on_timeout text, due_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	v jobs;
	v_request feedback_requests;
	v_made record;
	v_lane text;
	v_lanes text[] := p_lanes;
	v_full text[];
	v_taken integer := 0;
BEGIN
	SELECT coalesce(array_agg(l.lane), '{}') INTO v_full FROM unnest(v_lanes) AS l (lane)
		WHERE (SELECT count(*) FROM unnest(v_lanes) AS m (lane) WHERE m.lane = l.lane)
			>= coalesce(p_lane_max[array_position(p_kinds, split_part(l.lane, ' ', 1))], 0);
	WHILE v_taken < p_limit LOOP
		SELECT j.* INTO v FROM jobs j
			WHERE j.state = 'waiting' AND j.due_at <= clock_timestamp() AND j.kind = ANY (p_kinds)
				AND j.kind || ' ' || j.lane <> ALL (v_full)
			ORDER BY j.due_at LIMIT 1 FOR UPDATE SKIP LOCKED;
		EXIT WHEN NOT FOUND;
		SELECT r.* INTO v_request FROM feedback_requests r WHERE r.id = v.request_id;
		IF v.request_id IS NOT NULL AND v_request.status NOT IN ('created', 'sent') THEN
			UPDATE jobs j SET state = 'dropped', finished_at = clock_timestamp() WHERE j.id = v.id;
			CONTINUE;
		END IF;
		IF v.kind = 'account_mail' THEN
			SELECT m.* INTO v_made FROM account_mail_make(v) m;
			IF v_made.action = 'wait' THEN
				UPDATE jobs j SET due_at = clock_timestamp() + interval '1 second' WHERE j.id = v.id;
				CONTINUE;
			ELSIF v_made.action = 'drop' THEN
				UPDATE jobs j SET state = 'dropped', finished_at = clock_timestamp(), payload = '{}' WHERE j.id = v.id;
				CONTINUE;
			END IF;
			v.payload := v_made.payload;
			v.lane := v_made.lane;
		END IF;
		UPDATE jobs j SET state = 'running', owner = p_owner, tries = j.tries + 1, started_at = clock_timestamp(),
			due_at = clock_timestamp() + p_lease_us * interval '1 us' WHERE j.id = v.id;
		v_taken := v_taken + 1;
		v_lane := v.kind || ' ' || v.lane;
		v_lanes := v_lanes || v_lane;
		IF cardinality(array_positions(v_lanes, v_lane)) >= p_lane_max[array_position(p_kinds, v.kind)] THEN
			v_full := v_full || v_lane;
		END IF;
		RETURN QUERY SELECT v.id::text, v.kind, v.lane, v.payload::text, v.tries + 1, v.request_id::text,
			(SELECT u.username FROM users u WHERE u.id = v_request.asker_id), v_request.question,
			v_request.context::text, v_request.options::text, v_request.on_timeout, v_request.due_at;
	END LOOP;
END $$;

COMMENT ON COLUMN jobs.kind IS 'What to do: mail, slack, account_mail (a mail with a link about the account of its receiver)';
COMMENT ON COLUMN jobs.payload IS 'What the kind needs. mail: to, subject, body; the last two are absent when they are made from the feedback request, because its link is a secret. account_mail: what, and login until the account is looked up, then user; never the link';

CREATE FUNCTION account_tokens_end(p_user bigint) RETURNS void
LANGUAGE sql AS $$
	UPDATE account_tokens SET used_at = clock_timestamp() WHERE user_id = p_user AND purpose = 'reset' AND used_at IS NULL
$$;
COMMENT ON FUNCTION account_tokens_end(bigint) IS 'Ends the validity of the links for a new password that were mailed for this account';

CREATE OR REPLACE FUNCTION user_password(p_id bigint, p_hash text, p_keep_login bigint, p_old_hash text DEFAULT NULL)
RETURNS TABLE (status text, ended bigint[])
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE users u SET password_hash = p_hash, password_changed_at = clock_timestamp()
	WHERE u.id = p_id AND (p_old_hash IS NULL OR u.password_hash = p_old_hash);
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[];
		RETURN;
	END IF;
	PERFORM account_tokens_end(p_id);
	RETURN QUERY SELECT 'ok', logins_end(p_id, p_keep_login, 'others', 'password');
END $$;
COMMENT ON FUNCTION user_password(bigint, text, bigint, text) IS 'New password: ends all other login sessions and gives their ids, and ends the links for a reset. not_found: no such user, or the password is no longer the one with hash p_old_hash';

CREATE FUNCTION password_reset_user(p_token_hash bytea) RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT u.id FROM account_tokens t JOIN users u ON u.id = t.user_id WHERE t.token_hash = p_token_hash AND t.purpose = 'reset'
		AND t.used_at IS NULL AND t.expires_at > clock_timestamp() AND NOT u.disabled AND u.email = t.email
$$;
COMMENT ON FUNCTION password_reset_user(bytea) IS 'Account whose password this token resets; NULL: the token is unknown, used, or expired, or the account is disabled or has another address';

CREATE FUNCTION password_reset(p_token_hash bytea, p_hash text, p_address text, p_request text)
RETURNS TABLE (status text, ended bigint[], user_id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint := password_reset_user(p_token_hash);
BEGIN
	PERFORM 1 FROM users u WHERE u.id = v_id FOR NO KEY UPDATE;
	IF NOT FOUND OR password_reset_user(p_token_hash) IS DISTINCT FROM v_id THEN
		RETURN QUERY SELECT 'not_found', '{}'::bigint[], 0::bigint;
		RETURN;
	END IF;
	INSERT INTO audit (actor_id, action, target, address, request_id)
		VALUES (v_id, 'password reset', 'user:' || v_id, p_address, p_request);
	RETURN QUERY SELECT n.status, n.ended, v_id FROM user_password(v_id, p_hash, 0) n;
END $$;
COMMENT ON FUNCTION password_reset(bytea, text, text, text) IS 'New password for the account that the token is for: ends all its login sessions and gives their ids, and ends all its tokens. not_found: as password_reset_user()';

CREATE OR REPLACE FUNCTION purge(p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH k AS (
		DELETE FROM idempotency_keys t WHERE t.ctid = ANY (ARRAY(SELECT s.ctid FROM idempotency_keys s
			WHERE s.created_at < clock_timestamp() - interval '24 hours' ORDER BY s.created_at LIMIT p_limit)) RETURNING 1
	), l AS (
		DELETE FROM login_sessions t WHERE t.id = ANY (ARRAY(SELECT s.id FROM login_sessions s
			WHERE s.expires_at < clock_timestamp() - interval '30 days'
				OR s.ended_at < clock_timestamp() - interval '30 days' LIMIT p_limit)) RETURNING 1
	), h AS (
		DELETE FROM limit_hits t WHERE t.id = ANY (ARRAY(SELECT s.id FROM limit_hits s
			WHERE s.last_at < clock_timestamp() - interval '30 days' ORDER BY s.last_at LIMIT p_limit)) RETURNING 1
	), a AS (
		DELETE FROM account_tokens t WHERE t.token_hash = ANY (ARRAY(SELECT s.token_hash FROM account_tokens s
			WHERE s.created_at < clock_timestamp() - interval '24 hours' ORDER BY s.created_at LIMIT p_limit)) RETURNING 1
	)
	SELECT (SELECT count(*) FROM k) + (SELECT count(*) FROM l) + (SELECT count(*) FROM h) + (SELECT count(*) FROM a)
$$;
COMMENT ON FUNCTION purge(integer) IS 'Throws away old idempotency keys and tokens of mailed links (24 h), login sessions and limit hits (30 days); gives how many';
