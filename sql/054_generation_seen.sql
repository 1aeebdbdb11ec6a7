-- SPDX-License-Identifier: ISC
-- Answers that nobody runs: a daemon's clerk notes which ones run, and what nobody has noted for a while is marked. The
-- name of a host proves nothing, because daemons in containers may share one; nor does the life of a worker, because a
-- row whose COMMIT lands after its connection was lost has no answer in the worker.

ALTER TABLE generations ADD COLUMN seen_at timestamptz;
ALTER TABLE generations ALTER COLUMN seen_at SET DEFAULT clock_timestamp();
COMMENT ON COLUMN generations.seen_at IS 'When its daemon''s clerk last saw it in shared memory; NULL: before there was this column';

CREATE FUNCTION generations_seen(p_ids text[]) RETURNS bigint
LANGUAGE sql AS $$
	WITH seen AS (
		UPDATE generations g SET seen_at = clock_timestamp()
		WHERE g.id IN (SELECT o.id FROM generations o WHERE o.id = ANY (p_ids::uuid[]) AND o.state IN ('queued', 'running')
			FOR NO KEY UPDATE SKIP LOCKED)
		RETURNING 1
	)
	SELECT count(*) FROM seen
$$;
COMMENT ON FUNCTION generations_seen(text[]) IS 'A clerk notes which answers run in its daemon; gives how many of them are running here';

-- The message says how its answer ended, and what it cost; without a message it was interrupted before the first text.
CREATE FUNCTION generations_mark(p_ids uuid[]) RETURNS SETOF generations
LANGUAGE sql AS $$
	WITH ended AS (
		UPDATE generations g SET
			answer_seq = m.seq,
			state = CASE WHEN m.seq IS NULL THEN 'interrupted' ELSE generation_outcome(m.meta) END,
			prompt_tokens = coalesce((m.meta -> 'usage' ->> 'prompt_tokens')::bigint, g.prompt_tokens),
			completion_tokens = coalesce((m.meta -> 'usage' ->> 'completion_tokens')::bigint, g.completion_tokens),
			ended_at = clock_timestamp()
		FROM generations o LEFT JOIN messages m ON m.generation_id = o.id AND m.room_id = o.room_id
		WHERE o.id = ANY (p_ids) AND o.id = g.id AND g.state IN ('queued', 'running')
		RETURNING g.*
	), noted AS (
		INSERT INTO usage (generation_id, room_id, role_id, user_id, model, upstream, prompt_tokens, completion_tokens,
			cost_micros, state, at)
		SELECT e.id, e.room_id, e.role_id, (SELECT u.id FROM users u WHERE u.id = e.asker_id), e.model, e.upstream,
			greatest(coalesce(e.prompt_tokens, 0), 0), greatest(coalesce(e.completion_tokens, 0), 0),
			usage_cost(e.upstream, e.model, e.prompt_tokens, e.completion_tokens, NULL, e.ended_at), e.state, e.ended_at
		FROM ended e ON CONFLICT DO NOTHING
	)
	SELECT * FROM ended
$$;
COMMENT ON FUNCTION generations_mark(uuid[]) IS 'Ends answers that nobody runs any more: interrupted, or as the answer in the log says';

CREATE OR REPLACE FUNCTION generation_interrupt(p_host text, p_boot bigint, p_slot integer, p_slot_generation bigint)
RETURNS SETOF generations
LANGUAGE sql AS $$
	SELECT * FROM generations_mark(ARRAY(SELECT g.id FROM generations g WHERE g.host = p_host AND g.boot = p_boot
		AND g.state IN ('queued', 'running') AND g.slot = p_slot AND g.slot_generation <> p_slot_generation))
$$;
COMMENT ON FUNCTION generation_interrupt(text, bigint, integer, bigint) IS 'Ends what earlier processes of this slot of the daemon left running: interrupted, or as the answer in the log says';

-- Longer for other hosts: their clerks may get the database back later than this one.
CREATE FUNCTION generations_abandoned(p_host text, p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	SELECT count(*) FROM generations_mark(ARRAY(SELECT g.id FROM generations g WHERE g.state IN ('queued', 'running')
		AND coalesce(g.seen_at, g.created_at) < clock_timestamp()
			- CASE WHEN g.host = p_host THEN interval '5 seconds' ELSE interval '30 seconds' END
		ORDER BY g.id LIMIT p_limit))
$$;
COMMENT ON FUNCTION generations_abandoned(text, integer) IS 'Ends answers that no clerk has seen for 5 s (of other hosts: 30 s); gives how many. Should their text come after all, it counts';
