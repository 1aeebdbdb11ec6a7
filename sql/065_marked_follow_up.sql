-- SPDX-License-Identifier: ISC
-- A message that waited for an answer which was marked interrupted was never answered.

CREATE OR REPLACE FUNCTION generation_end(p_id uuid, p_state text, p_error_code text, p_partial text, p_upstream text,
	p_model text, p_prompt_tokens bigint, p_completion_tokens bigint, p_answer_seq bigint, p_first_text_at timestamptz,
	p_told bigint, p_estimated boolean DEFAULT false, p_error_detail text DEFAULT NULL)
RETURNS TABLE (status text, room_id bigint, role_id bigint, follow_up_seq bigint, follow_up_asker bigint, state text,
	answer_seq bigint, cost_micros bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	g generations;
	v_seq bigint;
	v_meta jsonb;
	v_cost bigint;
BEGIN
	SELECT * INTO g FROM generations o WHERE o.id = p_id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT m.seq, m.meta INTO v_seq, v_meta FROM messages m WHERE m.generation_id = p_id AND m.room_id = g.room_id;
	IF g.state NOT IN ('queued', 'running')
			-- else it was marked before a worker that had adopted it could store its text
			AND NOT (g.state = 'interrupted' AND g.answer_seq IS NULL AND v_seq IS NOT NULL) THEN
		-- who marked it may have been unable to answer what waited for its end; a message is answered once
		RETURN QUERY SELECT 'already', g.room_id, g.role_id, CASE WHEN g.state = 'interrupted' THEN g.follow_up_seq END,
			CASE WHEN g.state = 'interrupted' THEN g.follow_up_asker END, g.state, g.answer_seq, NULL::bigint;
		RETURN;
	END IF;
	UPDATE generations u SET state = CASE WHEN v_seq IS NULL THEN p_state ELSE generation_outcome(v_meta) END,
		error_code = p_error_code, error_detail = p_error_detail, partial = p_partial,
		upstream = coalesce(p_upstream, u.upstream), model = coalesce(p_model, u.model),
		prompt_tokens = coalesce(p_prompt_tokens, (v_meta -> 'usage' ->> 'prompt_tokens')::bigint),
		completion_tokens = coalesce(p_completion_tokens, (v_meta -> 'usage' ->> 'completion_tokens')::bigint),
		estimated = p_estimated OR coalesce((v_meta -> 'usage' ->> 'estimated')::boolean, false),
		answer_seq = coalesce(v_seq, p_answer_seq), first_text_at = p_first_text_at, ended_at = clock_timestamp()
		WHERE u.id = p_id RETURNING u.* INTO g;
	v_cost := usage_cost(g.upstream, g.model, g.prompt_tokens, g.completion_tokens, p_told, g.ended_at);
	INSERT INTO usage (generation_id, room_id, role_id, user_id, model, upstream, prompt_tokens, completion_tokens,
			cost_micros, told, state, at)
		VALUES (g.id, g.room_id, g.role_id, (SELECT u.id FROM users u WHERE u.id = g.asker_id), g.model, g.upstream,
			greatest(coalesce(g.prompt_tokens, 0), 0), greatest(coalesce(g.completion_tokens, 0), 0), v_cost,
			g.upstream IS DISTINCT FROM 'local' AND coalesce(p_told, -1) >= 0, g.state, g.ended_at)
		ON CONFLICT (generation_id) DO UPDATE SET model = EXCLUDED.model, upstream = EXCLUDED.upstream,
			prompt_tokens = EXCLUDED.prompt_tokens, completion_tokens = EXCLUDED.completion_tokens,
			cost_micros = EXCLUDED.cost_micros, told = EXCLUDED.told, state = EXCLUDED.state
		WHERE usage.state = 'interrupted';	-- it was marked, and its text came after all
	RETURN QUERY SELECT 'ok', g.room_id, g.role_id, g.follow_up_seq, g.follow_up_asker, g.state, g.answer_seq,
		CASE WHEN p_upstream IS NOT NULL THEN v_cost END;
END $$;
