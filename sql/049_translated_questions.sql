-- SPDX-License-Identifier: ISC
-- Questions that a model translates are model use like answers in rooms: with tokens and a cost.

ALTER TABLE usage ALTER COLUMN room_id DROP NOT NULL, ALTER COLUMN role_id DROP NOT NULL;
COMMENT ON TABLE usage IS 'One row per answer of a model in a room, and per question about the data that a model translated, written when it ends; outlives room and generation';
COMMENT ON COLUMN usage.generation_id IS 'generations.id; of a translation: an id of its own';
COMMENT ON COLUMN usage.room_id IS 'Room it answered in; the room may be gone; NULL: a translation';
COMMENT ON COLUMN usage.role_id IS 'Role that answered; NULL: a translation';

CREATE FUNCTION query_translated(p_id uuid, p_user bigint, p_upstream text, p_model text, p_prompt bigint, p_completion bigint,
	p_told bigint, p_state text)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_cost bigint := usage_cost(p_upstream, p_model, p_prompt, p_completion, p_told, now());
BEGIN
	INSERT INTO usage (generation_id, user_id, model, upstream, prompt_tokens, completion_tokens, cost_micros, told, state)
		VALUES (p_id, (SELECT u.id FROM users u WHERE u.id = p_user), p_model, p_upstream, coalesce(p_prompt, 0),
			coalesce(p_completion, 0), v_cost, coalesce(p_told, -1) >= 0, p_state)
		ON CONFLICT DO NOTHING;
	RETURN v_cost;
END $$;
COMMENT ON FUNCTION query_translated(uuid, bigint, text, text, bigint, bigint, bigint, text) IS 'Notes that a model was asked to translate a question; gives what it cost in millionths of a US dollar, NULL: not known';
