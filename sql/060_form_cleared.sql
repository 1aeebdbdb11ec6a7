-- SPDX-License-Identifier: ISC
-- People can take back values that a form has collected.

-- p_form also has "cleared": names of the slots whose values are deleted.
CREATE OR REPLACE FUNCTION session_learn(p_id uuid, p_seq bigint, p_form jsonb, p_mails jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE sessions s SET form_seq = p_seq, requested_slot = p_form ->> 'requested', form_pending = p_form -> 'pending',
		is_complete = (p_form ->> 'complete')::boolean, form_over = coalesce(p_form ->> 'over', s.form_over)
		WHERE s.id = p_id;
	DELETE FROM session_slots t WHERE t.session_id = p_id
		AND t.name IN (SELECT c.name FROM jsonb_array_elements_text(p_form -> 'cleared') AS c (name));
	INSERT INTO session_slots AS t (session_id, name, value, sealed, raw, tries, collected_at)
		SELECT p_id, j.name, j.value, decode(j.sealed, 'hex'), j.raw, j.tries, CASE WHEN j.collected THEN clock_timestamp() END
		FROM jsonb_to_recordset(p_form -> 'slots')
			AS j (name text, value text, sealed text, raw text, tries integer, collected boolean)
		ON CONFLICT (session_id, name) DO UPDATE SET tries = excluded.tries,
			value = CASE WHEN excluded.collected_at IS NULL THEN t.value ELSE excluded.value END,
			sealed = CASE WHEN excluded.collected_at IS NULL THEN t.sealed ELSE excluded.sealed END,
			raw = CASE WHEN excluded.collected_at IS NULL THEN t.raw ELSE excluded.raw END,
			collected_at = coalesce(excluded.collected_at, t.collected_at);
	UPDATE sessions s SET lead_at = clock_timestamp(),
		lead_mail = CASE WHEN jsonb_array_length(p_mails) > 0 THEN 'queued' ELSE 'off' END
		WHERE s.id = p_id AND s.lead_at IS NULL AND (s.is_complete OR s.form_over = 'handed_over');
	IF FOUND THEN
		PERFORM job_add('mail', 'lead ' || p_id || ' ' || lower(j.payload ->> 'to'), mail_lane(j.payload ->> 'to'), j.payload,
			NULL, p_id, md5('parlour lead ' || p_id || ' ' || lower(j.payload ->> 'to'))::uuid)
			FROM jsonb_array_elements(p_mails) AS j (payload);
	END IF;
END $$;
COMMENT ON FUNCTION session_learn(uuid, bigint, jsonb, jsonb) IS 'Stores what message p_seq did to the form, and deletes the values that the person took back; queues the mails when that makes a lead of it, once per session';
