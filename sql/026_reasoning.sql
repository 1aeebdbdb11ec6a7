-- SPDX-License-Identifier: ISC
-- What models think stands beside what they say; tokens that nobody counted are marked; the reason of a failure is kept.

ALTER TABLE messages ADD COLUMN reasoning text;
ALTER TABLE session_messages ADD COLUMN reasoning text;
ALTER TABLE session_messages ADD COLUMN estimated boolean NOT NULL DEFAULT false;
ALTER TABLE generations ADD COLUMN estimated boolean NOT NULL DEFAULT false;
ALTER TABLE generations ADD COLUMN error_detail text;
COMMENT ON COLUMN messages.reasoning IS 'What the model thought before it answered, at most 64 KiB; never sent back to a model; NULL: none';
COMMENT ON COLUMN session_messages.reasoning IS 'What the model thought before it answered; never sent back to a model; NULL: none';
COMMENT ON COLUMN session_messages.estimated IS 'The tokens were estimated from the text: the answer ended before its model counted them';
COMMENT ON COLUMN generations.estimated IS 'The tokens were estimated from the text: the answer ended before its model counted them';
COMMENT ON COLUMN generations.error_detail IS 'What the model''s server said when it failed, without secrets; NULL: nothing';

-- The daemon writes and reads a message's reasoning as a member of meta; in the table it is a column of its own, so that
-- nothing that reads meta gets it by accident.
CREATE FUNCTION message_reasoning() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		NEW.reasoning := NEW.meta ->> 'reasoning';
		NEW.meta := NEW.meta - 'reasoning';
	ELSE
		NEW.reasoning := NULL;
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION message_reasoning() IS 'Moves the reasoning of a new message from meta to its column; removes it with the message''s text';
CREATE TRIGGER reasoning_apart BEFORE INSERT ON messages FOR EACH ROW WHEN (NEW.meta ? 'reasoning')
	EXECUTE FUNCTION message_reasoning();
CREATE TRIGGER reasoning_gone BEFORE UPDATE OF deleted_at ON messages FOR EACH ROW
	WHEN (NEW.deleted_at IS NOT NULL AND NEW.reasoning IS NOT NULL) EXECUTE FUNCTION message_reasoning();

CREATE OR REPLACE VIEW message_rows AS
	SELECT m.room_id, m.seq, m.author_kind, m.author_id,
		CASE m.author_kind WHEN 'user' THEN (SELECT u.username FROM users u WHERE u.id = m.author_id)
			WHEN 'role' THEN (SELECT x.name FROM roles x WHERE x.id = m.author_id) ELSE 'system' END AS author_name,
		m.client_id, m.content, m.reply_to, m.generation_id::text AS generation_id,
		CASE WHEN m.reasoning IS NULL THEN m.meta ELSE m.meta || jsonb_build_object('reasoning', m.reasoning) END::text AS meta,
		m.created_at, m.edited_at, m.deleted_at
	FROM messages m;

DROP FUNCTION generation_end(uuid, text, text, text, text, text, bigint, bigint, bigint, timestamptz, bigint);
CREATE FUNCTION generation_end(p_id uuid, p_state text, p_error_code text, p_partial text, p_upstream text,
	p_model text, p_prompt_tokens bigint, p_completion_tokens bigint, p_answer_seq bigint, p_first_text_at timestamptz,
	p_told bigint, p_estimated boolean DEFAULT false, p_error_detail text DEFAULT NULL)
RETURNS TABLE (status text, room_id bigint, role_id bigint, follow_up_seq bigint, follow_up_asker bigint, state text,
	answer_seq bigint)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY WITH ended AS (
		UPDATE generations g SET state = CASE WHEN m.seq IS NULL THEN p_state ELSE generation_outcome(m.meta) END,
			error_code = p_error_code, error_detail = p_error_detail, partial = p_partial,
			upstream = coalesce(p_upstream, g.upstream), model = coalesce(p_model, g.model),
			prompt_tokens = coalesce(p_prompt_tokens, (m.meta -> 'usage' ->> 'prompt_tokens')::bigint),
			completion_tokens = coalesce(p_completion_tokens, (m.meta -> 'usage' ->> 'completion_tokens')::bigint),
			estimated = p_estimated OR coalesce((m.meta -> 'usage' ->> 'estimated')::boolean, false),
			answer_seq = coalesce(m.seq, p_answer_seq), first_text_at = p_first_text_at, ended_at = clock_timestamp()
		FROM generations o LEFT JOIN messages m ON m.generation_id = o.id AND m.room_id = o.room_id
		WHERE o.id = p_id AND g.id = o.id AND (g.state IN ('queued', 'running')
			-- marked before a worker that had adopted it could store its text
			OR (g.state = 'interrupted' AND g.answer_seq IS NULL AND m.seq IS NOT NULL))
		RETURNING g.*
	), noted AS (
		INSERT INTO usage (generation_id, room_id, role_id, user_id, model, upstream, prompt_tokens, completion_tokens,
			cost_micros, told, state, at)
		SELECT e.id, e.room_id, e.role_id, (SELECT u.id FROM users u WHERE u.id = e.asker_id), e.model, e.upstream,
			greatest(coalesce(e.prompt_tokens, 0), 0), greatest(coalesce(e.completion_tokens, 0), 0),
			usage_cost(e.upstream, e.model, e.prompt_tokens, e.completion_tokens, p_told, e.ended_at),
			e.upstream IS DISTINCT FROM 'local' AND coalesce(p_told, -1) >= 0, e.state, e.ended_at
		FROM ended e ON CONFLICT DO NOTHING
	)
	SELECT 'ok', e.room_id, e.role_id, e.follow_up_seq, e.follow_up_asker, e.state, e.answer_seq FROM ended e;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'already', g.room_id, g.role_id, NULL::bigint, NULL::bigint, g.state, g.answer_seq
			FROM generations g WHERE g.id = p_id;
	END IF;
END $$;
COMMENT ON FUNCTION generation_end(uuid, text, text, text, text, text, bigint, bigint, bigint, timestamptz, bigint, boolean, text) IS 'Ends an answer and notes its use; its message, if there is one, decides the state; p_told: cost in millionths of a US dollar as the upstream says; p_estimated: the tokens are';

DROP FUNCTION session_answer(uuid, bigint, text, text, text, bigint, bigint, text, text, bigint);
CREATE FUNCTION session_answer(p_id uuid, p_question bigint, p_content text, p_state text, p_model text, p_prompt bigint,
	p_completion bigint, p_citations text, p_upstream text, p_told bigint, p_estimated boolean DEFAULT false,
	p_reasoning text DEFAULT NULL)
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
			citations, reply_to, upstream, cost_micros, estimated, reasoning)
		VALUES (v_id, v_seq, 'assistant', p_content, p_state, p_model, p_prompt, p_completion, p_citations::jsonb, v_question,
			p_upstream, CASE WHEN p_upstream IS NOT NULL THEN v_cost END, p_estimated, p_reasoning)
		ON CONFLICT ON CONSTRAINT session_messages_pkey DO UPDATE SET content = p_content, state = p_state, model = p_model,
			prompt_tokens = p_prompt, completion_tokens = p_completion, citations = p_citations::jsonb,
			upstream = excluded.upstream, cost_micros = excluded.cost_micros, estimated = p_estimated, reasoning = p_reasoning;
	RETURN QUERY SELECT 'ok', v_id;
END $$;
COMMENT ON FUNCTION session_answer(uuid, bigint, text, text, text, bigint, bigint, text, text, bigint, boolean, text) IS 'The answer to message p_question (0: p_id is its token), its tokens, cost (p_told: as the upstream says), citations, and reasoning; may be repeated. Status ok, not_found';
