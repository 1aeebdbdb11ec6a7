-- SPDX-License-Identifier: ISC
-- Time-outs of feedback requests tell whom they concern. And what citations are now.

DROP FUNCTION feedback_requests_due(integer);

CREATE FUNCTION feedback_requests_due(p_limit integer)
RETURNS TABLE (id text, asker_id bigint, asked_id bigint, asker text, question text, status text, outcome text, due_at timestamptz)
LANGUAGE sql AS $$
	WITH due AS (
		SELECT r.id FROM feedback_requests r WHERE r.status IN ('created', 'sent') AND r.timed_out_at IS NULL
			AND r.due_at <= now() ORDER BY r.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
	), handled AS (
		UPDATE feedback_requests r SET timed_out_at = clock_timestamp(),
			status = CASE WHEN r.on_timeout = 'wait' THEN r.status ELSE 'expired' END,
			outcome = nullif(r.on_timeout, 'wait'),
			ended_at = CASE WHEN r.on_timeout <> 'wait' THEN clock_timestamp() END
		FROM due WHERE r.id = due.id RETURNING r.*
	), dropped AS (
		UPDATE outbox o SET state = 'dropped' FROM handled h
		WHERE h.status = 'expired' AND o.request_id = h.id AND o.state = 'queued'
	)
	SELECT h.id::text, h.asker_id, coalesce(h.asked_id, 0), u.username, h.question, h.status, h.outcome, h.due_at
	FROM handled h JOIN users u ON u.id = h.asker_id ORDER BY h.due_at
$$;
COMMENT ON FUNCTION feedback_requests_due(integer) IS 'Handles time-outs that have come; gives those requests. Several clerks may call it at once';

COMMENT ON COLUMN session_messages.citations IS 'Passages of the knowledge base that the answer names: [{mark, document, title, from, to, text}]; in answers of earlier versions all that it was given';
