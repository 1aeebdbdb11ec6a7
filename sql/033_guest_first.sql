-- SPDX-License-Identifier: ISC
-- Two first messages of a guest's session at once: the second one does not count its own session as another one.

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
	SELECT g.open INTO v_open FROM session_guests(v_address) g;
	-- looked at again under the lock of the address: another message may have been the first one meanwhile
	RETURN CASE WHEN v_open >= p_max AND EXISTS (SELECT FROM sessions s WHERE s.id = p_id AND s.last_seq = 0)
		THEN 'session_limit' ELSE 'ok' END;
END $$;
