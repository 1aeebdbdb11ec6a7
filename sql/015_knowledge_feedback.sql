-- SPDX-License-Identifier: ISC
-- Time-outs of feedback requests tell whom they concern; a knowledge base that is locked holds up no new connection; and
-- what citations are now.

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

-- Connections prepare their statements when they open. PL/pgSQL is looked at when it runs, so tables that somebody has
-- locked do not keep a connection from opening.

CREATE FUNCTION knowledge_any() RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN EXISTS (SELECT FROM knowledge_documents);
END $$;
COMMENT ON FUNCTION knowledge_any() IS 'Is there any document?';

CREATE FUNCTION knowledge_list(p_after bigint, p_limit integer) RETURNS SETOF knowledge_rows
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY SELECT v.* FROM knowledge_rows v WHERE v.id > p_after ORDER BY v.id LIMIT p_limit;
END $$;
COMMENT ON FUNCTION knowledge_list(bigint, integer) IS 'Documents without their text, ids above p_after, ascending';

CREATE FUNCTION knowledge_get(p_id bigint)
RETURNS TABLE (id bigint, title text, source text, bytes bigint, sha256 text, chunks bigint, author text,
	created_at timestamptz, updated_at timestamptz, content text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY SELECT v.*, d.content FROM knowledge_documents d JOIN knowledge_rows v ON v.id = d.id WHERE d.id = p_id;
END $$;
COMMENT ON FUNCTION knowledge_get(bigint) IS 'One document with its text; no row: there is none';
