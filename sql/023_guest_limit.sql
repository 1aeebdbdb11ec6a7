-- SPDX-License-Identifier: ISC
-- Guests have a limit of their own, and a session in which nothing was said does not count against it: a page that is
-- loaded again makes a new one each time. Order of locks: the user's row (or the guest's address), then the session's row.

CREATE INDEX sessions_guest ON sessions ((meta ->> 'address')) WHERE guest AND state = 'open';
COMMENT ON INDEX sessions_guest IS 'Open sessions of an address, which are counted for each new one';

-- Takes the lock of the address, so that what it counts holds until the transaction ends.
CREATE FUNCTION session_guests(p_address text) RETURNS TABLE (open bigint, next_at timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('parlour guest ' || p_address, 0));
	RETURN QUERY SELECT count(*), min(s.expires_at) FROM sessions s
		WHERE s.guest AND s.state = 'open' AND s.meta ->> 'address' = p_address AND s.expires_at > clock_timestamp()
			AND s.last_seq > 0 AND NOT s.is_complete AND s.form_over IS NULL
			AND (s.left_at IS NULL OR EXISTS (SELECT FROM session_messages m WHERE m.session_id = s.id
				AND m.author = 'user' AND m.created_at > s.left_at));
END $$;
COMMENT ON FUNCTION session_guests(text) IS 'Open sessions of a guest address that count: something was said in them, and they are neither complete nor left; next_at: when the first of them expires';

CREATE OR REPLACE FUNCTION session_create(p_id uuid, p_user bigint, p_address text, p_kind text, p_form text, p_requested text,
	p_max bigint, p_life_ms bigint)
RETURNS TABLE (status text, retry_s bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_address text := session_address(p_address);
	v_open bigint;
	v_next timestamptz;
BEGIN
	IF p_user > 0 THEN
		PERFORM 1 FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;	-- counts one at a time
		IF NOT FOUND THEN
			RETURN QUERY SELECT 'not_found', 0::bigint;
			RETURN;
		END IF;
		SELECT count(*), min(s.expires_at) INTO v_open, v_next FROM sessions s
			WHERE s.user_id = p_user AND s.state = 'open' AND s.expires_at > clock_timestamp()
				AND s.kind IN ('chat', 'guided');
	ELSE
		SELECT g.open, g.next_at INTO v_open, v_next FROM session_guests(v_address) g;
	END IF;
	IF v_open >= p_max THEN
		RETURN QUERY SELECT 'session_limit', greatest(1, ceil(extract(epoch FROM v_next - clock_timestamp())))::bigint;
		RETURN;
	END IF;
	INSERT INTO sessions (id, kind, user_id, guest, form, requested_slot, expires_at, meta)
		VALUES (p_id, p_kind, nullif(p_user, 0), p_user = 0, p_form, p_requested,
			clock_timestamp() + p_life_ms * interval '1 ms',
			CASE WHEN p_user = 0 THEN jsonb_build_object('address', v_address) END);
	RETURN QUERY SELECT 'ok', 0::bigint;
END $$;
COMMENT ON FUNCTION session_create(uuid, bigint, text, text, text, text, bigint, bigint) IS 'A new chat or guided session, at most p_max open ones per user, or of those that session_guests() counts per guest address; status ok, session_limit (retry_s: when the next one expires), not_found';

-- Sessions in which nothing was said are free, so the first message is what has to find room.
CREATE FUNCTION session_first(p_id uuid, p_max bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_address text;
BEGIN
	SELECT s.meta ->> 'address' INTO v_address FROM sessions s WHERE s.id = p_id AND s.guest AND s.last_seq = 0;
	RETURN CASE WHEN v_address IS NOT NULL AND (SELECT g.open FROM session_guests(v_address) g) >= p_max
		THEN 'session_limit' ELSE 'ok' END;
END $$;
COMMENT ON FUNCTION session_first(uuid, bigint) IS 'Before a message: session_limit if it would be the first one of a guest''s session while p_max others of that address count, else ok';

DROP FUNCTION session_say(uuid, uuid, text, bigint, bigint, jsonb, jsonb, text, bigint, integer, bigint);
CREATE FUNCTION session_say(p_id uuid, p_token uuid, p_content text, p_life_ms bigint, p_form_seq bigint, p_form jsonb,
	p_mails jsonb, p_host text, p_boot bigint, p_slot integer, p_slot_generation bigint, p_guests bigint)
RETURNS TABLE (status text, seq bigint, ahead bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_first text := session_first(p_id, p_guests);
	v_status text := session_lock(p_id);
	v_seq bigint;
BEGIN
	SELECT q.seq INTO v_seq FROM session_questions q WHERE q.token = p_token;
	IF FOUND THEN
		v_status := 'ok';	-- it is said again because nobody knew whether it was
	ELSIF v_status = 'ok' AND v_first <> 'ok' THEN
		v_status := v_first;
	ELSIF v_status = 'ok' AND p_form IS NOT NULL
			AND (SELECT s.form_seq FROM sessions s WHERE s.id = p_id) <> p_form_seq THEN
		v_status := 'stale';
	ELSIF v_status = 'ok' THEN
		UPDATE sessions s SET last_seq = s.last_seq + 1, last_at = clock_timestamp(),
			expires_at = clock_timestamp() + p_life_ms * interval '1 ms'
			WHERE s.id = p_id RETURNING s.last_seq INTO v_seq;
		INSERT INTO session_messages (session_id, seq, author, content) VALUES (p_id, v_seq, 'user', p_content);
		INSERT INTO session_questions (session_id, seq, token, host, boot, slot, slot_generation)
			VALUES (p_id, v_seq, p_token, p_host, p_boot, p_slot, p_slot_generation);
		IF p_form IS NOT NULL THEN
			PERFORM session_learn(p_id, v_seq, p_form, p_mails);
		END IF;
	END IF;
	RETURN QUERY SELECT v_status, v_seq,
		(SELECT count(*) FROM session_questions q WHERE q.session_id = p_id AND q.seq < v_seq);
END $$;
COMMENT ON FUNCTION session_say(uuid, uuid, text, bigint, bigint, jsonb, jsonb, text, bigint, integer, bigint, bigint) IS 'A person''s message with what it did to the form as it was at p_form_seq; the session lives p_life_ms from now. Status ok (ahead: how many unanswered ones come first), stale (the form has moved on), not_found, ended, session_limit (p_guests other sessions of this guest''s address count)';

-- What a guest made and never used is nothing to keep.
CREATE OR REPLACE FUNCTION sessions_expire(p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH due AS MATERIALIZED (
		SELECT s.id, s.guest AND s.last_seq = 0 AS unused FROM sessions s
		WHERE s.state = 'open' AND s.expires_at <= clock_timestamp() ORDER BY s.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED
	), gone AS (
		DELETE FROM sessions t USING due d WHERE d.id = t.id AND d.unused
	), over AS (
		UPDATE sessions t SET state = 'expired', ended_at = t.expires_at FROM due d WHERE d.id = t.id AND NOT d.unused
	)
	SELECT count(*) FROM due
$$;
COMMENT ON FUNCTION sessions_expire(integer) IS 'Marks open sessions whose life is over as expired, and deletes those of guests in which nothing was said; gives how many';
