-- SPDX-License-Identifier: ISC
-- Messages in sessions: what the form learned is stored with the message, answers come in order, what a dead process left
-- unanswered is marked, and a complete form's lead is mailed once. Order of locks: the session's row, then the rest.

ALTER TABLE sessions ADD COLUMN form_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN form_over text CHECK (form_over IN ('cancelled', 'handed_over'));
ALTER TABLE sessions ADD COLUMN lead_at timestamptz;
ALTER TABLE sessions ADD COLUMN lead_mail text CHECK (lead_mail IN ('off', 'queued'));
COMMENT ON COLUMN sessions.form_seq IS 'seq of the message that changed the form last; whoever read another one reads again';
COMMENT ON COLUMN sessions.form_over IS 'How a form ended that is not complete: cancelled by the person, or handed over to a human; NULL: it goes on';
COMMENT ON COLUMN sessions.lead_at IS 'When the form was first complete, or handed over; NULL: not yet';
COMMENT ON COLUMN sessions.lead_mail IS 'off: mail was off then; queued: see outbox; NULL: not yet';

ALTER TABLE session_messages ADD COLUMN reply_to bigint;
COMMENT ON COLUMN session_messages.reply_to IS 'seq of the message that it answers; NULL: a person''s message';
UPDATE session_messages m SET reply_to = q.seq
FROM (SELECT a.session_id, a.seq AS answer, max(u.seq) AS seq FROM session_messages a
	JOIN session_messages u ON u.session_id = a.session_id AND u.author = 'user' AND u.seq < a.seq
	WHERE a.author = 'assistant' GROUP BY 1, 2) q
WHERE m.session_id = q.session_id AND m.seq = q.answer
	AND NOT EXISTS (SELECT FROM session_messages o WHERE o.session_id = m.session_id AND o.author = 'assistant'
		AND o.seq > q.seq AND o.seq < m.seq);
CREATE UNIQUE INDEX session_messages_reply ON session_messages (session_id, reply_to) WHERE reply_to IS NOT NULL;

CREATE TABLE session_questions (
	session_id    uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
	seq           bigint NOT NULL,
	token         uuid NOT NULL UNIQUE,
	host          text NOT NULL,
	boot          bigint NOT NULL,
	slot          integer NOT NULL,
	slot_generation bigint NOT NULL,
	said_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
	seen_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (session_id, seq)
);
COMMENT ON TABLE session_questions IS 'Messages in sessions whose answer is under way';
COMMENT ON COLUMN session_questions.session_id IS 'Session';
COMMENT ON COLUMN session_questions.seq IS 'seq of the message';
COMMENT ON COLUMN session_questions.token IS 'Made by the worker: a message whose storing had no known outcome is stored once';
COMMENT ON COLUMN session_questions.host IS 'Host of the worker that answers';
COMMENT ON COLUMN session_questions.boot IS 'Its daemon''s start';
COMMENT ON COLUMN session_questions.slot IS 'Its slot in the daemon';
COMMENT ON COLUMN session_questions.slot_generation IS 'Which process in that slot';
COMMENT ON COLUMN session_questions.said_at IS 'When it was stored';
COMMENT ON COLUMN session_questions.seen_at IS 'When its daemon''s clerk saw that worker alive; what is older than 5 s is marked interrupted';

ALTER TABLE outbox ADD COLUMN session_id uuid REFERENCES sessions ON DELETE CASCADE;
CREATE INDEX outbox_session ON outbox (session_id) WHERE session_id IS NOT NULL;
COMMENT ON COLUMN outbox.session_id IS 'Session whose lead it tells of; NULL: none';

-- p_form: {"slots": [{"name","value","sealed" (hex),"raw","tries","collected"}] (those that changed), "requested",
-- "complete", "over"}. p_mails: [{"to","subject","body"}], what to send if this is what makes a lead of it; NULL: mail is off.
CREATE FUNCTION session_learn(p_id uuid, p_seq bigint, p_form jsonb, p_mails jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE sessions s SET form_seq = p_seq, requested_slot = p_form ->> 'requested',
		is_complete = (p_form ->> 'complete')::boolean, form_over = coalesce(p_form ->> 'over', s.form_over)
		WHERE s.id = p_id;
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
		INSERT INTO outbox (id, kind, destination, subject, body, session_id)
			SELECT md5('parlour lead ' || p_id || ' ' || lower(j."to"))::uuid, 'mail', j."to", j.subject, j.body, p_id
			FROM jsonb_to_recordset(p_mails) AS j ("to" text, subject text, body text)
			ON CONFLICT (id) DO NOTHING;
	END IF;
END $$;
COMMENT ON FUNCTION session_learn(uuid, bigint, jsonb, jsonb) IS 'Stores what message p_seq did to the form; queues the mails when that makes a lead of it, once per session';

CREATE FUNCTION session_say(p_id uuid, p_token uuid, p_content text, p_life_ms bigint, p_form_seq bigint, p_form jsonb,
	p_mails jsonb, p_host text, p_boot bigint, p_slot integer, p_slot_generation bigint)
RETURNS TABLE (status text, seq bigint, ahead bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_status text := session_lock(p_id);
	v_seq bigint;
BEGIN
	SELECT q.seq INTO v_seq FROM session_questions q WHERE q.token = p_token;
	IF FOUND THEN
		v_status := 'ok';	-- it is said again because nobody knew whether it was
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
COMMENT ON FUNCTION session_say(uuid, uuid, text, bigint, bigint, jsonb, jsonb, text, bigint, integer, bigint) IS 'A person''s message with what it did to the form as it was at p_form_seq; the session lives p_life_ms from now. Status ok (ahead: how many unanswered ones come first), stale (the form has moved on), not_found, ended';

CREATE FUNCTION session_ahead(p_id uuid, p_question bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT count(*) FROM session_questions q WHERE q.session_id = p_id AND q.seq < p_question
$$;
COMMENT ON FUNCTION session_ahead(uuid, bigint) IS 'How many earlier messages of the session still wait for their answer';

-- There is one answer per message: what came later counts only where the first was cut short.
CREATE FUNCTION session_answer(p_id uuid, p_question bigint, p_content text, p_state text, p_model text, p_prompt bigint,
	p_completion bigint, p_citations text, p_upstream text, p_told bigint)
RETURNS TABLE (status text, session uuid)
LANGUAGE plpgsql AS $$
DECLARE
	v_cost bigint := usage_cost(p_upstream, p_model, p_prompt, p_completion, p_told, clock_timestamp());
	v_id uuid := p_id;
	v_question bigint := p_question;
	v_old session_messages;
	v_seq bigint;
BEGIN
	IF p_question = 0 THEN
		SELECT q.session_id, q.seq INTO v_id, v_question FROM session_questions q WHERE q.token = p_id;
		IF NOT FOUND THEN
			RETURN QUERY SELECT 'ok', NULL::uuid;	-- never stored, or answered
			RETURN;
		END IF;
	END IF;
	PERFORM 1 FROM sessions s WHERE s.id = v_id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', NULL::uuid;
		RETURN;
	END IF;
	DELETE FROM session_questions q WHERE q.session_id = v_id AND q.seq = v_question;
	SELECT * INTO v_old FROM session_messages m WHERE m.session_id = v_id AND m.reply_to = v_question;
	IF v_old.seq IS NOT NULL AND (v_old.state <> 'interrupted'
			OR (p_state = 'interrupted' AND length(p_content) <= length(v_old.content))) THEN
		RETURN QUERY SELECT 'ok', v_id;
		RETURN;
	END IF;
	UPDATE sessions s SET last_seq = s.last_seq + (v_old.seq IS NULL)::integer, last_at = clock_timestamp(),
		model = coalesce(p_model, s.model),
		prompt_tokens = s.prompt_tokens + coalesce(p_prompt, 0),
		completion_tokens = s.completion_tokens + coalesce(p_completion, 0),
		total_tokens = s.total_tokens + coalesce(p_prompt, 0) + coalesce(p_completion, 0),
		cost_micros = s.cost_micros + coalesce(v_cost, 0), errors = s.errors + (p_state = 'failed')::integer
		WHERE s.id = v_id RETURNING coalesce(v_old.seq, s.last_seq) INTO v_seq;
	INSERT INTO session_messages AS m (session_id, seq, author, content, state, model, prompt_tokens, completion_tokens,
			citations, reply_to, upstream, cost_micros)
		VALUES (v_id, v_seq, 'assistant', p_content, p_state, p_model, p_prompt, p_completion, p_citations::jsonb, v_question,
			p_upstream, CASE WHEN p_upstream IS NOT NULL THEN v_cost END)
		ON CONFLICT ON CONSTRAINT session_messages_pkey DO UPDATE SET content = p_content, state = p_state, model = p_model,
			prompt_tokens = p_prompt, completion_tokens = p_completion, citations = p_citations::jsonb,
			upstream = excluded.upstream, cost_micros = excluded.cost_micros;
	RETURN QUERY SELECT 'ok', v_id;
END $$;
COMMENT ON FUNCTION session_answer(uuid, bigint, text, text, text, bigint, bigint, text, text, bigint) IS 'The answer to message p_question (0: p_id is its token), its tokens, cost (p_told: as the upstream says) and citations; may be repeated. Status ok, not_found';

CREATE FUNCTION session_questions_seen(p_host text, p_boot bigint, p_slots bigint[], p_generations bigint[]) RETURNS bigint
LANGUAGE sql AS $$
	WITH seen AS (
		UPDATE session_questions q SET seen_at = clock_timestamp()
		WHERE (q.session_id, q.seq) IN (SELECT x.session_id, x.seq FROM session_questions x
			JOIN unnest(p_slots, p_generations) AS l (slot, generation)
				ON l.slot = x.slot AND l.generation = x.slot_generation
			WHERE x.host = p_host AND x.boot = p_boot AND x.said_at > clock_timestamp() - interval '1 hour'
			FOR UPDATE OF x SKIP LOCKED)
		RETURNING 1
	)
	SELECT count(*) FROM seen
$$;
COMMENT ON FUNCTION session_questions_seen(text, bigint, bigint[], bigint[]) IS 'A clerk notes which of the daemon''s workers live; nothing is answered for over an hour';

CREATE FUNCTION session_questions_interrupt(p_limit integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v record;
	v_count bigint := 0;
BEGIN
	FOR v IN SELECT q.session_id, q.seq FROM session_questions q WHERE q.seen_at < clock_timestamp() - interval '5 seconds'
			ORDER BY q.session_id, q.seq LIMIT p_limit LOOP
		PERFORM session_answer(v.session_id, v.seq, '', 'interrupted', NULL, NULL, NULL, NULL, NULL, NULL);
		v_count := v_count + 1;
	END LOOP;
	RETURN v_count;
END $$;
COMMENT ON FUNCTION session_questions_interrupt(integer) IS 'Marks questions whose worker nobody sees any more; gives how many. Should their answers come after all, those count';
