-- SPDX-License-Identifier: ISC
-- A guest's first message that asks a model before it is stored takes its place before that: what is refused costs nothing.

ALTER TABLE sessions ADD COLUMN reserved_at timestamptz;
COMMENT ON COLUMN sessions.reserved_at IS 'When the first message of a guest''s session took its place, which it keeps for 10 minutes until it is stored; NULL: it asked no model';

DROP FUNCTION session_guests(text);
CREATE FUNCTION session_guests(p_address text, p_but uuid DEFAULT NULL) RETURNS TABLE (open bigint, next_at timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('parlour guest ' || p_address, 0));
	RETURN QUERY SELECT count(*), min(s.expires_at) FROM sessions s
		WHERE s.guest AND s.state = 'open' AND s.meta ->> 'address' = p_address AND s.expires_at > clock_timestamp()
			AND s.id IS DISTINCT FROM p_but
			AND (s.last_seq > 0 OR s.reserved_at > clock_timestamp() - interval '10 minutes')
			AND NOT s.is_complete AND s.form_over IS NULL
			AND (s.left_at IS NULL OR EXISTS (SELECT FROM session_messages m WHERE m.session_id = s.id
				AND m.author = 'user' AND m.created_at > s.left_at));
END $$;
COMMENT ON FUNCTION session_guests(text, uuid) IS 'Open sessions of a guest address that count, p_but apart: something was said in them, or is about to be, and they are neither complete nor left; next_at: when the first of them expires. Takes the lock of the address, so that the count holds until the transaction ends';

CREATE OR REPLACE FUNCTION session_first(p_id uuid, p_max bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_address text;
	v_open bigint;
BEGIN
	SELECT s.meta ->> 'address' INTO v_address FROM sessions s WHERE s.id = p_id AND s.guest AND s.last_seq = 0;
	IF v_address IS NULL THEN
		RETURN 'ok';
	END IF;
	SELECT g.open INTO v_open FROM session_guests(v_address, p_id) g;
	-- looked at again under the lock of the address: another message may have been the first one meanwhile
	RETURN CASE WHEN v_open >= p_max AND EXISTS (SELECT FROM sessions s WHERE s.id = p_id AND s.last_seq = 0)
		THEN 'session_limit' ELSE 'ok' END;
END $$;

CREATE FUNCTION session_reserve(p_id uuid, p_max bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := session_first(p_id, p_max);
BEGIN
	IF v_status = 'ok' THEN
		UPDATE sessions s SET reserved_at = clock_timestamp() WHERE s.id = p_id AND s.guest AND s.last_seq = 0;
	END IF;
	RETURN v_status;
END $$;
COMMENT ON FUNCTION session_reserve(uuid, bigint) IS 'Before a model reads a message: takes the place that the first message of a guest''s session needs; session_limit, or ok. May be repeated';
