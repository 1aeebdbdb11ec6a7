-- SPDX-License-Identifier: ISC
-- What a crash must not change: how an answer ended, and that an Idempotency-Key does its work once.

-- The message says how its answer ended, and what it cost; without a message it was interrupted before the first text.
CREATE OR REPLACE FUNCTION generation_interrupt(p_host text, p_boot bigint, p_slot integer, p_slot_generation bigint)
RETURNS SETOF generations
LANGUAGE sql AS $$
	WITH ended AS (
		UPDATE generations g SET
			answer_seq = m.seq,
			state = CASE WHEN m.seq IS NULL THEN 'interrupted'
				WHEN m.meta -> 'usage' ->> 'stop' IN ('failed', 'cancelled', 'interrupted') THEN m.meta -> 'usage' ->> 'stop'
				ELSE 'done' END,
			prompt_tokens = coalesce((m.meta -> 'usage' ->> 'prompt_tokens')::bigint, g.prompt_tokens),
			completion_tokens = coalesce((m.meta -> 'usage' ->> 'completion_tokens')::bigint, g.completion_tokens),
			ended_at = clock_timestamp()
		FROM generations o LEFT JOIN messages m ON m.generation_id = o.id AND m.room_id = o.room_id
		WHERE o.id = g.id AND g.host = p_host AND g.state IN ('queued', 'running')
			AND (g.boot <> p_boot OR (g.slot = p_slot AND g.slot_generation <> p_slot_generation))
		RETURNING g.*
	), noted AS (
		INSERT INTO usage (generation_id, room_id, role_id, user_id, model, upstream, prompt_tokens, completion_tokens,
			cost_micros, state, at)
		SELECT e.id, e.room_id, e.role_id, (SELECT u.id FROM users u WHERE u.id = e.asker_id), e.model, e.upstream,
			greatest(coalesce(e.prompt_tokens, 0), 0), greatest(coalesce(e.completion_tokens, 0), 0),
			usage_cost(e.upstream, e.model, e.prompt_tokens, e.completion_tokens), e.state, e.ended_at
		FROM ended e ON CONFLICT DO NOTHING
	)
	SELECT * FROM ended
$$;
