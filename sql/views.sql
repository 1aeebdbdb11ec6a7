-- SPDX-License-Identifier: ISC
-- Views for people. Applied again after every migration, so they may change freely. They do not call our functions:
-- a view reads its tables with the rights of its owner, but runs functions with the rights of the reader.

SET LOCAL client_min_messages = warning;
DROP VIEW IF EXISTS v_rooms, v_messages, v_room_activity, v_limits_hit, v_logins, v_api_keys, v_unanswered, v_generations,
	v_spend_today, v_usage, v_session_data, v_feedback, v_feedback_requests, v_jobs, v_outbox, v_knowledge, v_questions,
	v_prices, v_audit;

CREATE VIEW v_rooms AS
	SELECT r.id, r.name, o.username AS owner, r.visibility, coalesce(r.reply_policy, 'default') AS reply_policy, r.archived,
		r.last_seq, r.last_at, (SELECT count(*) FROM members m WHERE m.room_id = r.id) AS members,
		(SELECT string_agg(x.name, ', ' ORDER BY x.name) FROM room_roles rr JOIN roles x ON x.id = rr.role_id
			WHERE rr.room_id = r.id) AS roles, r.created_at
	FROM rooms r LEFT JOIN users o ON o.id = r.owner_id;
COMMENT ON VIEW v_rooms IS 'Rooms with owner, members, roles and last activity';

CREATE VIEW v_messages AS
	SELECT m.room_id, r.name AS room, m.seq, m.created_at, m.author_kind,
		CASE m.author_kind WHEN 'user' THEN (SELECT u.username FROM users u WHERE u.id = m.author_id)
			WHEN 'role' THEN (SELECT x.name FROM roles x WHERE x.id = m.author_id) ELSE 'system' END AS author,
		CASE WHEN m.deleted_at IS NOT NULL THEN '(deleted)' ELSE m.content END AS content, m.reply_to, m.edited_at,
		m.meta ->> 'model' AS model
	FROM messages m JOIN rooms r ON r.id = m.room_id;
COMMENT ON VIEW v_messages IS 'Messages with names; add WHERE room_id = .. ORDER BY seq';

CREATE VIEW v_room_activity AS
	SELECT m.room_id, r.name AS room, date_trunc('day', m.created_at) AS day, count(*) AS messages,
		count(*) FILTER (WHERE m.author_kind = 'role') AS by_roles,
		count(DISTINCT m.author_id) FILTER (WHERE m.author_kind = 'user') AS people
	FROM messages m JOIN rooms r ON r.id = m.room_id GROUP BY 1, 2, 3;
COMMENT ON VIEW v_room_activity IS 'Messages and authors per room and day';

CREATE VIEW v_limits_hit AS
	SELECT h.class, u.username, h.address, sum(h.count) AS refused, min(h.first_at) AS first_at, max(h.last_at) AS last_at
	FROM limit_hits h LEFT JOIN users u ON u.id = h.user_id
	WHERE h.last_at > now() - interval '24 hours' GROUP BY 1, 2, 3;
COMMENT ON VIEW v_limits_hit IS 'Users and addresses that exceeded a rate limit in the last 24 hours';

CREATE VIEW v_logins AS
	SELECT l.id, u.username, l.address, l.user_agent, l.created_at, l.last_used_at, l.expires_at,
		CASE WHEN l.ended_at IS NOT NULL THEN l.end_reason WHEN l.expires_at < now() THEN 'expired' ELSE 'alive' END AS state,
		l.ended_at
	FROM login_sessions l JOIN users u ON u.id = l.user_id WHERE l.kind = 'login';
COMMENT ON VIEW v_logins IS 'Login sessions with user names and state';

CREATE VIEW v_api_keys AS
	SELECT l.id, u.username, l.name, l.key_prefix, array_to_string(l.scopes, ' ') AS scopes, l.key_rate, l.created_at,
		l.last_used_at, nullif(l.expires_at, 'infinity') AS expires_at,
		CASE WHEN l.ended_at IS NOT NULL THEN l.end_reason WHEN l.expires_at < now() THEN 'expired' ELSE 'valid' END AS state,
		l.ended_at
	FROM login_sessions l JOIN users u ON u.id = l.user_id WHERE l.kind = 'key';
COMMENT ON VIEW v_api_keys IS 'API keys with user names and state; never the key';

CREATE VIEW v_generations AS
	SELECT g.id, g.room_id, r.name AS room, x.name AS role, u.username AS asker, g.state, g.upstream, g.model, g.error_code,
		g.prompt_tokens, g.completion_tokens, (c.cost_micros / 1e6)::numeric(18, 6) AS cost_usd,
		g.first_text_at - g.started_at AS first_text, g.ended_at - g.started_at AS took, g.created_at
	FROM generations g JOIN rooms r ON r.id = g.room_id JOIN roles x ON x.id = g.role_id
	LEFT JOIN users u ON u.id = g.asker_id LEFT JOIN usage c ON c.generation_id = g.id;
COMMENT ON VIEW v_generations IS 'Answers of models with names, tokens, cost, and times';

CREATE VIEW v_unanswered AS
	SELECT g.room_id, r.name AS room, g.reply_to_seq AS seq, u.username AS asker, x.name AS role, g.state, g.error_code,
		g.created_at
	FROM generations g JOIN rooms r ON r.id = g.room_id JOIN roles x ON x.id = g.role_id
	LEFT JOIN users u ON u.id = g.asker_id
	WHERE g.state IN ('failed', 'interrupted') AND g.answer_seq IS NULL
		AND NOT EXISTS (SELECT FROM generations n WHERE n.room_id = g.room_id AND n.role_id = g.role_id
			AND n.created_at > g.created_at AND n.state = 'done')
	UNION ALL
	SELECT NULL, 'session ' || left(s.id::text, 8), m.reply_to, coalesce(u.username, 'guest'), NULL, m.state, NULL, m.created_at
	FROM session_messages m JOIN sessions s ON s.id = m.session_id LEFT JOIN users u ON u.id = s.user_id
	WHERE m.author = 'assistant' AND m.state IN ('failed', 'interrupted')
		AND NOT EXISTS (SELECT FROM session_messages n WHERE n.session_id = m.session_id AND n.seq > m.seq
			AND n.author = 'assistant' AND n.state = 'done');
COMMENT ON VIEW v_unanswered IS 'Questions to models that got no complete answer, if no later question in the same place was answered';

CREATE VIEW v_usage AS
	SELECT date_trunc('day', g.at, 'UTC') AS day, u.username, g.upstream, g.model, count(*) AS answers,
		count(*) FILTER (WHERE g.failed) AS failed, sum(g.prompt_tokens) AS prompt_tokens,
		sum(g.completion_tokens) AS completion_tokens, (sum(g.cost_micros) / 1e6)::numeric(18, 6) AS cost_usd,
		count(*) FILTER (WHERE g.cost_micros IS NULL) AS without_price
	FROM usage_answers g LEFT JOIN users u ON u.id = g.user_id GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW v_usage IS 'Answers of models in rooms and sessions, and translations of questions: tokens and cost per day (UTC), user, upstream, and model';

CREATE VIEW v_spend_today AS
	SELECT coalesce(u.username, '(nobody)') AS username, coalesce(g.upstream, '-') AS upstream, count(*) AS answers,
		sum(g.prompt_tokens + g.completion_tokens) AS tokens, (sum(g.cost_micros) / 1e6)::numeric(18, 6) AS cost_usd,
		count(*) FILTER (WHERE g.cost_micros IS NULL) AS without_price
	FROM usage_answers g LEFT JOIN users u ON u.id = g.user_id
	WHERE g.at >= date_trunc('day', now(), 'UTC') GROUP BY 1, 2;
COMMENT ON VIEW v_spend_today IS 'Cost of the answers of models since midnight UTC, per user (nobody: guests) and upstream; without_price: answers whose cost is unknown, because a price (parlourctl price set) or the number of tokens is missing';

CREATE VIEW v_prices AS
	SELECT p.upstream, p.model, p.prompt_usd, p.completion_usd, p.valid_from,
		lead(p.valid_from) OVER (PARTITION BY p.upstream, p.model ORDER BY p.valid_from) AS valid_until
	FROM model_prices p;
COMMENT ON VIEW v_prices IS 'Prices of models in US dollars per million tokens; upstream *: all upstreams with this model';
CREATE VIEW v_session_data AS
	SELECT left(s.id::text, 8) AS session, s.form, coalesce(u.username, 'guest') AS person,
		CASE WHEN s.is_complete THEN 'complete' ELSE coalesce(s.form_over, s.state) END AS state, t.name AS slot,
		CASE WHEN t.sealed IS NOT NULL THEN 'sealed' ELSE t.value END AS value, t.raw AS written, t.tries, t.collected_at,
		s.started_at
	FROM sessions s JOIN session_slots t ON t.session_id = s.id LEFT JOIN users u ON u.id = s.user_id;
COMMENT ON VIEW v_session_data IS 'Values that guided forms collected, one row per slot; sensitive values are shown as "sealed"; add ORDER BY started_at, session, collected_at';
CREATE VIEW v_feedback AS
	SELECT f.id, u.username, f.target_kind, f.target_id, f.score, f.comment, f.created_at, f.updated_at
	FROM feedback f JOIN users u ON u.id = f.user_id;
COMMENT ON VIEW v_feedback IS 'Votes with user names';

CREATE VIEW v_feedback_requests AS
	SELECT r.id, a.username AS asker, r.channel, r.destination, r.question, r.status, r.on_timeout, r.outcome, r.answer,
		r.comment, b.username AS answered_by, r.answered_via, r.delivery_error, r.created_at, r.due_at, r.sent_at,
		r.timed_out_at, r.ended_at
	FROM feedback_requests r JOIN users a ON a.id = r.asker_id LEFT JOIN users b ON b.id = r.answered_by;
COMMENT ON VIEW v_feedback_requests IS 'Feedback requests, with names and their outcome';

CREATE VIEW v_jobs AS	-- the id of a guest's session is a credential
	SELECT j.id, j.kind, coalesce(replace(j.key, j.session_id::text, left(j.session_id::text, 8)), j.key) AS key, j.state,
		j.tries, j.due_at, j.last_error, j.lane, j.owner, j.request_id, left(j.session_id::text, 8) AS session,
		j.created_at, j.started_at, j.finished_at, j.give_up_at
	FROM jobs j;
COMMENT ON VIEW v_jobs IS 'Jobs of the courier: waiting, running, done, given up (dead), or dropped; without the content that they send';

CREATE VIEW v_outbox AS
	SELECT j.id, j.kind, j.payload ->> 'to' AS destination, j.state, j.tries, j.due_at AS next_at, j.last_error, j.request_id,
		j.created_at, CASE WHEN j.state = 'done' THEN j.finished_at END AS sent_at
	FROM jobs j WHERE j.kind IN ('mail', 'slack');
COMMENT ON VIEW v_outbox IS 'Jobs that send Slack messages and mails, except mails about accounts; with their destination, without their text';

CREATE VIEW v_knowledge AS
	SELECT d.id, d.title, d.source, octet_length(d.content) AS bytes,
		(SELECT count(*) FROM knowledge_chunks c WHERE c.document_id = d.id) AS passages, coalesce(n.cited, 0) AS cited,
		u.username AS author, d.created_at, d.updated_at
	FROM knowledge_documents d LEFT JOIN users u ON u.id = d.author_id
	LEFT JOIN (SELECT a.document, count(DISTINCT a.answer) AS cited FROM (
			SELECT (c ->> 'document')::bigint AS document, 's' || m.session_id || '.' || m.seq AS answer
			FROM session_messages m, jsonb_array_elements(m.citations) c
			UNION ALL
			SELECT (c ->> 'document')::bigint, 'r' || m.room_id || '.' || m.seq
			FROM messages m, jsonb_array_elements(m.meta -> 'citations') c) a GROUP BY 1) n ON n.document = d.id;
COMMENT ON VIEW v_knowledge IS 'Documents of the knowledge base, and how many answers in sessions and rooms cite them';

CREATE VIEW v_questions AS
	SELECT h.id, u.username, h.query, h.understood, h.intent ->> 'metric' AS metric,
		(SELECT string_agg(d.dim, ', ' ORDER BY d.n) FROM json_array_elements_text(h.intent -> 'dimensions')
			WITH ORDINALITY AS d (dim, n)) AS dimensions, h.rows, h.created_at, h.expires_at
	FROM query_history h JOIN users u ON u.id = h.user_id;
COMMENT ON VIEW v_questions IS 'Questions in words, with user, time, and whether the question was understood; add WHERE NOT understood to find missing words';

CREATE VIEW v_audit AS
	SELECT a.id, a.created_at, CASE WHEN a.actor_id = 0 THEN 'system' ELSE coalesce(u.username, 'user:' || a.actor_id) END AS actor,
		a.action AS act, a.target AS subject, t.username AS subject_user, a.address, a.request_id, a.before, a.after
	FROM audit a LEFT JOIN users u ON u.id = a.actor_id
	LEFT JOIN users t ON t.id = CASE WHEN a.target ~ '^user:[0-9]{1,18}$' THEN substr(a.target, 6)::bigint END;
COMMENT ON VIEW v_audit IS 'The audit trail with user names: actor, action, subject, time, and address';
