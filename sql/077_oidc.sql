-- SPDX-License-Identifier: ISC
-- Signing in through identity providers (OpenID Connect): who is linked to whom, sign-ins in progress, and the one-use codes
-- that a page exchanges for tokens. A sign-in ends in a row of login_sessions, as a login with a password does.

CREATE TABLE user_identities (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	issuer     text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 512),
	subject    text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
	provider   text NOT NULL CHECK (length(provider) BETWEEN 1 AND 32),
	email      text,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	used_at    timestamptz,
	UNIQUE (issuer, subject)
);
CREATE INDEX user_identities_user ON user_identities (user_id, id);
COMMENT ON TABLE user_identities IS 'Accounts at identity providers that are linked to users';
COMMENT ON COLUMN user_identities.id IS 'Number of the link';
COMMENT ON COLUMN user_identities.user_id IS 'The user';
COMMENT ON COLUMN user_identities.issuer IS 'Address of the provider, as in its tokens';
COMMENT ON COLUMN user_identities.subject IS 'The account at the provider, as in its tokens; never reused for another person';
COMMENT ON COLUMN user_identities.provider IS 'Name of the section in parlour.conf at the last sign-in';
COMMENT ON COLUMN user_identities.email IS 'E-mail address of the account at the provider, at the last sign-in, for people; NULL: unknown';
COMMENT ON COLUMN user_identities.created_at IS 'When it was linked';
COMMENT ON COLUMN user_identities.used_at IS 'Last sign-in with it; NULL: never';

CREATE TABLE oidc_flows (
	state_hash   bytea PRIMARY KEY CHECK (octet_length(state_hash) = 32),
	browser_hash bytea NOT NULL CHECK (octet_length(browser_hash) = 32),
	provider     text NOT NULL,
	issuer       text NOT NULL,
	return_to    text NOT NULL,
	challenge    bytea CHECK (octet_length(challenge) = 32),
	user_id      bigint REFERENCES users ON DELETE CASCADE,
	login_id     bigint,
	expires_at   timestamptz NOT NULL
);
CREATE INDEX oidc_flows_expires ON oidc_flows (expires_at);
CREATE INDEX oidc_flows_user ON oidc_flows (user_id) WHERE user_id IS NOT NULL;
COMMENT ON TABLE oidc_flows IS 'Sign-ins that wait for the provider to send the browser back';
COMMENT ON COLUMN oidc_flows.state_hash IS 'SHA-256 of the state, which the provider returns';
COMMENT ON COLUMN oidc_flows.browser_hash IS 'SHA-256 of the secret in the cookie of the browser that began; nonce and PKCE verifier are derived from that secret and the state';
COMMENT ON COLUMN oidc_flows.provider IS 'Name of the section in parlour.conf';
COMMENT ON COLUMN oidc_flows.issuer IS 'Issuer of that section when the sign-in began; if it changes, the sign-in ends';
COMMENT ON COLUMN oidc_flows.return_to IS 'Page to which the browser returns; it was in the list of allowed addresses';
COMMENT ON COLUMN oidc_flows.challenge IS 'SHA-256 of the verifier of the page; NULL: the page has none';
COMMENT ON COLUMN oidc_flows.user_id IS 'User who links a provider; NULL: somebody signs in';
COMMENT ON COLUMN oidc_flows.login_id IS 'Login session of that user, which must still be valid at the end';
COMMENT ON COLUMN oidc_flows.expires_at IS 'When it expires';

CREATE TABLE oidc_codes (
	code_hash  bytea PRIMARY KEY CHECK (octet_length(code_hash) = 32),
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	challenge  bytea CHECK (octet_length(challenge) = 32),
	expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_codes_expires ON oidc_codes (expires_at);
CREATE INDEX oidc_codes_user ON oidc_codes (user_id);
COMMENT ON TABLE oidc_codes IS 'One-use codes that a page exchanges for tokens after a sign-in through a provider';
COMMENT ON COLUMN oidc_codes.code_hash IS 'SHA-256 of the code';
COMMENT ON COLUMN oidc_codes.user_id IS 'User who signed in';
COMMENT ON COLUMN oidc_codes.challenge IS 'SHA-256 of the verifier that must come with the code; NULL: none';
COMMENT ON COLUMN oidc_codes.expires_at IS 'When it expires';

CREATE FUNCTION oidc_begin(p_state bytea, p_browser bytea, p_provider text, p_issuer text, p_return_to text, p_challenge bytea,
	p_user bigint, p_login bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM oidc_flows f WHERE f.state_hash = ANY (ARRAY(SELECT s.state_hash FROM oidc_flows s
		WHERE s.expires_at < clock_timestamp() ORDER BY s.expires_at LIMIT 10 FOR UPDATE SKIP LOCKED));
	INSERT INTO oidc_flows (state_hash, browser_hash, provider, issuer, return_to, challenge, user_id, login_id, expires_at)
		VALUES (p_state, p_browser, p_provider, p_issuer, p_return_to, p_challenge, p_user, p_login, clock_timestamp() + interval '10 minutes');
	RETURN true;
END $$;
COMMENT ON FUNCTION oidc_begin(bytea, bytea, text, text, text, bytea, bigint, bigint) IS 'A sign-in begins, or (p_user, p_login) a user begins to link a provider: valid for 10 minutes. Deletes a few that have expired';

CREATE FUNCTION oidc_return(p_state bytea, p_browser bytea, p_provider text, p_issuer text) RETURNS SETOF oidc_flows
LANGUAGE sql AS $$
	WITH taken AS (DELETE FROM oidc_flows f WHERE f.state_hash = p_state AND f.browser_hash = p_browser AND f.provider = p_provider
		AND f.issuer = p_issuer RETURNING *)
	SELECT * FROM taken t WHERE t.expires_at > clock_timestamp()
$$;
COMMENT ON FUNCTION oidc_return(bytea, bytea, text, text) IS 'The browser that began a sign-in is back: gives the sign-in, once; no row: unknown, expired, used, or of another browser, provider, or issuer';

-- The name from the provider, then the same with a number, then with random digits. C has made it valid.
CREATE FUNCTION oidc_register(p_name text, p_email text, p_shown text, p_access text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_made record;
	v_name text := p_name;
	v_email text := p_email;
	v_shown text := p_shown;
BEGIN
	FOR i IN 2 .. 40 LOOP
		SELECT * INTO v_made FROM user_create(v_name, v_email, v_shown, NULL, p_access);
		IF v_made.status = 'ok' THEN
			UPDATE users u SET email_verified_at = clock_timestamp() WHERE u.id = v_made.id AND u.email IS NOT NULL;
			RETURN v_made.id;
		ELSIF v_made.status = 'taken_email' THEN
			v_email := NULL;
		ELSIF v_made.status = 'taken_shown' THEN
			v_shown := NULL;
		ELSE
			v_name := left(p_name, 24) || '-' || CASE WHEN i < 10 THEN i::text ELSE left(replace(gen_random_uuid()::text, '-', ''), 7) END;
		END IF;
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION oidc_register(text, text, text, text) IS 'A new account without a password, whose address the provider has verified; another name if p_name is taken, and without address or display name if those are. NULL: no name was free';

-- Providers give an address that became free to another person: who is linked already keeps the account.
CREATE FUNCTION oidc_email_owner(p_email text, p_issuer text) RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT u.id FROM users u WHERE lower(u.email) = lower(p_email) AND u.email_verified_at IS NOT NULL
		AND NOT EXISTS (SELECT FROM user_identities i WHERE i.user_id = u.id AND i.issuer = p_issuer)
$$;
COMMENT ON FUNCTION oidc_email_owner(text, text) IS 'The account whose verified address this is, and which has no link to this issuer yet; NULL: there is none';

CREATE FUNCTION oidc_sign_in(p_provider text, p_issuer text, p_subject text, p_email text, p_verified boolean, p_name text,
	p_shown text, p_link boolean, p_register boolean, p_code bytea, p_challenge bytea, p_address text)
RETURNS TABLE (status text, user_id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_user bigint;
	v_new boolean := false;
BEGIN
	-- two first sign-ins of one person at once must not become two accounts
	PERFORM pg_advisory_xact_lock(hashtextextended(p_issuer || ' ' || p_subject, 72));
	SELECT i.user_id INTO v_user FROM user_identities i WHERE i.issuer = p_issuer AND i.subject = p_subject;
	IF v_user IS NULL AND p_link AND p_verified THEN
		PERFORM pg_advisory_xact_lock(hashtextextended(p_issuer || ' ' || lower(p_email), 73));
		v_user := oidc_email_owner(p_email, p_issuer);
		v_new := v_user IS NOT NULL;
	END IF;
	IF v_user IS NULL AND p_register THEN
		v_user := oidc_register(p_name, CASE WHEN p_verified THEN p_email END, p_shown, 'user');
		v_new := v_user IS NOT NULL;
	END IF;
	IF v_user IS NULL THEN
		RETURN QUERY SELECT 'no_account', NULL::bigint;
		RETURN;
	END IF;
	PERFORM 1 FROM users u WHERE u.id = v_user AND NOT u.disabled AND NOT login_locked(u.id, p_address) FOR SHARE;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'refused', v_user;
		RETURN;
	END IF;
	IF v_new THEN
		INSERT INTO user_identities (user_id, issuer, subject, provider, email, used_at)
			VALUES (v_user, p_issuer, p_subject, p_provider, p_email, clock_timestamp());
		PERFORM audit_add('identity linked', 'user:' || v_user, NULL, jsonb_build_object('provider', p_provider), v_user);
	ELSE
		UPDATE user_identities i SET used_at = clock_timestamp(), provider = p_provider, email = coalesce(p_email, i.email)
			WHERE i.issuer = p_issuer AND i.subject = p_subject;
	END IF;
	DELETE FROM oidc_codes c WHERE c.code_hash = ANY (ARRAY(SELECT s.code_hash FROM oidc_codes s
		WHERE s.expires_at < clock_timestamp() ORDER BY s.expires_at LIMIT 10 FOR UPDATE SKIP LOCKED));
	INSERT INTO oidc_codes (code_hash, user_id, challenge, expires_at)
		VALUES (p_code, v_user, p_challenge, clock_timestamp() + interval '60 seconds');
	RETURN QUERY SELECT 'ok', v_user;
END $$;
COMMENT ON FUNCTION oidc_sign_in(text, text, text, text, boolean, text, text, boolean, boolean, bytea, bytea, text) IS 'Finds, links (p_link), or creates (p_register) the account of somebody whom a provider has authenticated, and gives a code for tokens, valid for 60 seconds. ok, no_account, refused (disabled, or logins from this network are locked)';

CREATE FUNCTION oidc_link(p_provider text, p_issuer text, p_subject text, p_email text, p_user bigint, p_login bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_owner bigint;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended(p_issuer || ' ' || p_subject, 72));
	PERFORM 1 FROM users u WHERE u.id = p_user AND NOT u.disabled AND EXISTS (SELECT FROM login_sessions l WHERE l.id = p_login
		AND l.user_id = p_user AND l.ended_at IS NULL AND l.expires_at > clock_timestamp()) FOR SHARE;
	IF NOT FOUND THEN
		RETURN 'login_ended';
	END IF;
	SELECT i.user_id INTO v_owner FROM user_identities i WHERE i.issuer = p_issuer AND i.subject = p_subject;
	IF v_owner IS NOT NULL THEN
		RETURN CASE WHEN v_owner = p_user THEN 'ok' ELSE 'taken' END;
	END IF;
	INSERT INTO user_identities (user_id, issuer, subject, provider, email) VALUES (p_user, p_issuer, p_subject, p_provider, p_email);
	PERFORM audit_add('identity linked', 'user:' || p_user, NULL, jsonb_build_object('provider', p_provider), p_user);
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION oidc_link(text, text, text, text, bigint, bigint) IS 'Links an account at a provider to the user who began that; ok (also if it was linked to this user), taken (another user), login_ended';

CREATE FUNCTION oidc_unlink(p_user bigint, p_id bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_password boolean;
	v_provider text;
BEGIN
	SELECT u.password_hash IS NOT NULL INTO v_password FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;
	SELECT i.provider INTO v_provider FROM user_identities i WHERE i.user_id = p_user AND i.id = p_id;
	IF NOT FOUND THEN
		RETURN 'not_found';
	END IF;
	IF NOT v_password AND NOT EXISTS (SELECT FROM user_identities i WHERE i.user_id = p_user AND i.id <> p_id) THEN
		RETURN 'last_way_in';
	END IF;
	DELETE FROM user_identities i WHERE i.id = p_id;
	PERFORM audit_add('identity unlinked', 'user:' || p_user, jsonb_build_object('provider', v_provider), NULL);
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION oidc_unlink(bigint, bigint) IS 'Unlinks an account at a provider; ok, not_found, last_way_in (the user has no password and no other link)';

CREATE FUNCTION oidc_code_use(p_code bytea, p_challenge bytea, p_life interval, p_user_agent text, p_address text, p_ticket bytea)
RETURNS TABLE (status text, user_id bigint, login_id bigint, counter bigint, expires_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	v_code oidc_codes;
	v_second boolean;
BEGIN
	DELETE FROM oidc_codes c WHERE c.code_hash = p_code RETURNING c.* INTO v_code;
	IF v_code.user_id IS NULL OR v_code.expires_at <= clock_timestamp() OR v_code.challenge IS DISTINCT FROM p_challenge THEN
		RETURN QUERY SELECT 'gone', v_code.user_id, NULL::bigint, NULL::bigint, NULL::timestamptz;
		RETURN;
	END IF;
	SELECT u.second_factor INTO v_second FROM users u WHERE u.id = v_code.user_id AND NOT u.disabled
		AND NOT login_locked(u.id, p_address) FOR SHARE;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'refused', v_code.user_id, NULL::bigint, NULL::bigint, NULL::timestamptz;
	ELSIF v_second THEN
		DELETE FROM mfa_tickets t WHERE t.ticket_hash = ANY (ARRAY(SELECT s.ticket_hash FROM mfa_tickets s
			WHERE s.user_id = v_code.user_id ORDER BY s.created_at DESC OFFSET 9 FOR UPDATE SKIP LOCKED));
		INSERT INTO mfa_tickets (ticket_hash, user_id, expires_at) VALUES (p_ticket, v_code.user_id, clock_timestamp() + interval '5 minutes');
		RETURN QUERY SELECT 'mfa', v_code.user_id, NULL::bigint, NULL::bigint, NULL::timestamptz;
	ELSE
		RETURN QUERY SELECT 'ok', v_code.user_id, l.id, l.refresh_counter, l.expires_at
			FROM login_create(v_code.user_id, p_life, p_user_agent, p_address) l;
	END IF;
END $$;
COMMENT ON FUNCTION oidc_code_use(bytea, bytea, interval, text, text, bytea) IS 'Uses a code up. ok: a login session; mfa: a second factor is needed, and p_ticket is now the hash of a ticket for it; refused (disabled, or logins from this network are locked); gone (unknown, used, or expired, or the verifier is wrong)';
