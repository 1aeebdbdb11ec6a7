-- SPDX-License-Identifier: ISC
-- How an answer ended is what its message says, whoever ends its row.

CREATE FUNCTION generation_outcome(p_meta jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN p_meta -> 'usage' ->> 'stop' IN ('failed', 'cancelled', 'interrupted') THEN p_meta -> 'usage' ->> 'stop'
		ELSE 'done' END
$$;
COMMENT ON FUNCTION generation_outcome(jsonb) IS 'State of the generation whose answer carries this meta';

-- A worker that adopts an answer may know less than the log: the text that it found was cut short, or the message had
-- been stored by a worker that died before it could end the row.
DROP FUNCTION generation_end(uuid, text, text, text, text, text, bigint, bigint, bigint, timestamptz, bigint);
CREATE FUNCTION generation_end(p_id uuid, p_state text, p_error_code text, p_partial text, p_upstream text,
	p_model text, p_prompt_tokens bigint, p_completion_tokens bigint, p_answer_seq bigint, p_first_text_at timestamptz,
	p_told bigint)
RETURNS TABLE (status text, room_id bigint, role_id bigint, follow_up_seq bigint, follow_up_asker bigint, state text,
	answer_seq bigint)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY WITH ended AS (
		UPDATE generations g SET state = CASE WHEN m.seq IS NULL THEN p_state ELSE generation_outcome(m.meta) END,
			error_code = p_error_code, partial = p_partial,
			upstream = coalesce(p_upstream, g.upstream), model = coalesce(p_model, g.model),
			prompt_tokens = coalesce(p_prompt_tokens, (m.meta -> 'usage' ->> 'prompt_tokens')::bigint),
			completion_tokens = coalesce(p_completion_tokens, (m.meta -> 'usage' ->> 'completion_tokens')::bigint),
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
COMMENT ON FUNCTION generation_end(uuid, text, text, text, text, text, bigint, bigint, bigint, timestamptz, bigint) IS 'Ends an answer and notes its use; its message, if there is one, decides the state; p_told: cost in millionths of a US dollar as the upstream says';
