-- SPDX-License-Identifier: ISC
-- What people say: votes on answers, questions put to them over channels, and the queue of what is sent to them.

CREATE TABLE feedback (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id       bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	target_kind   text NOT NULL CHECK (target_kind IN ('message', 'generation', 'session')),
	target_id     text NOT NULL,
	score         double precision NOT NULL CHECK (score BETWEEN -1 AND 1),
	comment       text CHECK (length(comment) <= 2000),
	created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	UNIQUE (user_id, target_kind, target_id)
);
CREATE INDEX feedback_target ON feedback (target_kind, target_id);

COMMENT ON TABLE feedback IS 'Votes: one per user and target, a repeat replaces; POST /api/feedback';
COMMENT ON COLUMN feedback.id IS 'Number';
COMMENT ON COLUMN feedback.user_id IS 'Who voted';
COMMENT ON COLUMN feedback.target_kind IS 'What was judged: message, generation (an answer of a model) or session';
COMMENT ON COLUMN feedback.target_id IS 'Its id: room.seq of a message, UUID of a generation or session';
COMMENT ON COLUMN feedback.score IS 'From -1 (bad) to 1 (good)';
COMMENT ON COLUMN feedback.comment IS 'Why; NULL: nothing was said';
COMMENT ON COLUMN feedback.created_at IS 'First vote';
COMMENT ON COLUMN feedback.updated_at IS 'Newest vote';

CREATE TABLE feedback_requests (
	id            uuid PRIMARY KEY,
	number        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
	asker_id      bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	channel       text NOT NULL CHECK (channel IN ('web', 'mail', 'slack')),
	destination   text NOT NULL CHECK (length(destination) BETWEEN 1 AND 254),
	asked_id      bigint REFERENCES users ON DELETE CASCADE,
	question      text NOT NULL,
	context       json,
	options       jsonb,
	run_id        text,
	state         json,
	on_timeout    text NOT NULL CHECK (on_timeout IN ('deny', 'approve', 'wait')),
	status        text NOT NULL CHECK (status IN ('created', 'sent', 'answered', 'declined', 'expired', 'cancelled')),
	outcome       text CHECK (outcome IN ('deny', 'approve')),
	answer        text,
	comment       text,
	answered_by   bigint REFERENCES users ON DELETE SET NULL,
	answered_via  text CHECK (answered_via IN ('web', 'mail', 'slack')),
	delivery_error text,
	created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	due_at        timestamptz NOT NULL,
	sent_at       timestamptz,
	timed_out_at  timestamptz,
	ended_at      timestamptz,
	CHECK ((channel = 'web') = (asked_id IS NOT NULL))
);
CREATE INDEX feedback_requests_due ON feedback_requests (due_at)
	WHERE status IN ('created', 'sent') AND timed_out_at IS NULL;
CREATE INDEX feedback_requests_asker ON feedback_requests (asker_id, number);
CREATE INDEX feedback_requests_asked ON feedback_requests (asked_id, number) WHERE asked_id IS NOT NULL;

COMMENT ON TABLE feedback_requests IS 'Questions put to a human over a channel; /api/feedback-requests';
COMMENT ON COLUMN feedback_requests.id IS 'Number for clients';
COMMENT ON COLUMN feedback_requests.number IS 'Order of creation';
COMMENT ON COLUMN feedback_requests.asker_id IS 'User who asks';
COMMENT ON COLUMN feedback_requests.channel IS 'web: a user of this server answers here; mail, slack: the link that was sent answers';
COMMENT ON COLUMN feedback_requests.destination IS 'User name, mail address, or webhook';
COMMENT ON COLUMN feedback_requests.asked_id IS 'User who is asked; only of channel web';
COMMENT ON COLUMN feedback_requests.question IS 'What is asked';
COMMENT ON COLUMN feedback_requests.context IS 'What the human should know to answer';
COMMENT ON COLUMN feedback_requests.options IS 'List of answers to choose from; NULL: free text';
COMMENT ON COLUMN feedback_requests.run_id IS 'The asker''s own id of the work that waits';
COMMENT ON COLUMN feedback_requests.state IS 'Kept for the asker and given back, never read';
COMMENT ON COLUMN feedback_requests.on_timeout IS 'What silence means: deny, approve, or wait (stays open)';
COMMENT ON COLUMN feedback_requests.status IS 'created, sent, then one of answered, declined, expired, cancelled';
COMMENT ON COLUMN feedback_requests.outcome IS 'What the time-out decided; NULL: it decided nothing';
COMMENT ON COLUMN feedback_requests.answer IS 'The option taken, or the text';
COMMENT ON COLUMN feedback_requests.comment IS 'What was said besides; the reason of a refusal';
COMMENT ON COLUMN feedback_requests.answered_by IS 'User who answered; NULL: whoever had the link';
COMMENT ON COLUMN feedback_requests.answered_via IS 'Channel the answer came by';
COMMENT ON COLUMN feedback_requests.delivery_error IS 'Why it could not be sent, for good; NULL: no such trouble';
COMMENT ON COLUMN feedback_requests.created_at IS 'When it was asked';
COMMENT ON COLUMN feedback_requests.due_at IS 'Time-out';
COMMENT ON COLUMN feedback_requests.sent_at IS 'When the channel took it';
COMMENT ON COLUMN feedback_requests.timed_out_at IS 'When the clerk handled the time-out';
COMMENT ON COLUMN feedback_requests.ended_at IS 'When it was answered, declined, expired or cancelled';

CREATE TABLE outbox (
	id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	kind          text NOT NULL CHECK (kind IN ('mail', 'slack')),
	destination   text NOT NULL,
	subject       text,
	body          text,
	request_id    uuid REFERENCES feedback_requests ON DELETE CASCADE,
	state         text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'dropped')),
	host          text,
	tries         integer NOT NULL DEFAULT 0,
	next_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
	last_error    text,
	created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	sent_at       timestamptz,
	CHECK (request_id IS NOT NULL OR (subject IS NOT NULL AND body IS NOT NULL))
);
CREATE INDEX outbox_next ON outbox (next_at) WHERE state IN ('queued', 'sending');
CREATE INDEX outbox_request ON outbox (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX outbox_old ON outbox (created_at) WHERE state IN ('sent', 'failed', 'dropped');

COMMENT ON TABLE outbox IS 'What is to be sent by mail or to Slack, and what became of it; only the clerk sends';
COMMENT ON COLUMN outbox.id IS 'Also the left part of the Message-ID, the same at every try';
COMMENT ON COLUMN outbox.kind IS 'mail or slack';
COMMENT ON COLUMN outbox.destination IS 'Mail address; webhook for Slack';
COMMENT ON COLUMN outbox.subject IS 'Subject; NULL: made from the feedback request';
COMMENT ON COLUMN outbox.body IS 'Plain text; NULL: made from the feedback request, because its link is a secret';
COMMENT ON COLUMN outbox.request_id IS 'Feedback request it carries; NULL: none';
COMMENT ON COLUMN outbox.state IS 'queued, sending (a clerk has it), sent, failed (for good), dropped (not needed any more)';
COMMENT ON COLUMN outbox.host IS 'Host whose clerk has it or had it last';
COMMENT ON COLUMN outbox.tries IS 'How often it was tried';
COMMENT ON COLUMN outbox.next_at IS 'Next try; while it is being sent: when another clerk may take it over';
COMMENT ON COLUMN outbox.last_error IS 'What the last try met';
COMMENT ON COLUMN outbox.created_at IS 'When it was queued';
COMMENT ON COLUMN outbox.sent_at IS 'When the server took it';

-- Votes

CREATE FUNCTION feedback_target(p_user bigint, p_access text, p_kind text, p_target text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_room bigint;
	v_seq bigint;
	v_uuid uuid;
BEGIN
	IF p_kind = 'message' THEN
		IF p_target !~ '^[1-9][0-9]{0,17}\.[1-9][0-9]{0,17}$' THEN
			RETURN NULL;
		END IF;
		v_room := split_part(p_target, '.', 1)::bigint;
		v_seq := split_part(p_target, '.', 2)::bigint;
		RETURN (SELECT p_target FROM room_head(v_room, p_user) h
			JOIN messages m ON m.room_id = h.room_id AND m.seq = v_seq AND m.deleted_at IS NULL);
	END IF;
	IF p_target ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
		v_uuid := p_target::uuid;
	END IF;
	IF p_kind = 'generation' THEN
		RETURN (SELECT g.id::text FROM generations g, room_head(g.room_id, p_user) h WHERE g.id = v_uuid);
	END IF;
	RETURN (SELECT s.id::text FROM sessions s WHERE (s.id = v_uuid OR s.external_id = p_target)
		AND (s.user_id = p_user OR p_access = 'admin'
			OR (s.kind = 'usage' AND s.user_id IS NULL AND p_access IN ('analyst', 'operator')))
		ORDER BY s.id = v_uuid DESC NULLS LAST LIMIT 1);
END $$;
COMMENT ON FUNCTION feedback_target(bigint, text, text, text) IS 'The id under which this user may judge something; NULL: it does not exist for them';

-- Requests

CREATE VIEW feedback_request_rows AS
	SELECT r.id::text AS id, r.number, a.username AS asker, r.channel, r.destination, r.question, r.context::text AS context,
		r.options::text AS options, r.run_id, r.state::text AS state, r.on_timeout, r.status, r.outcome, r.answer, r.comment,
		b.username AS answered_by, r.answered_via, r.delivery_error, r.created_at, r.due_at, r.sent_at, r.timed_out_at,
		r.ended_at
	FROM feedback_requests r JOIN users a ON a.id = r.asker_id LEFT JOIN users b ON b.id = r.answered_by;
COMMENT ON VIEW feedback_request_rows IS 'Feedback requests with names, in the column order that the daemon reads';

CREATE FUNCTION feedback_request_create(p_id uuid, p_user bigint, p_channel text, p_destination text, p_question text,
	p_context json, p_options jsonb, p_timeout_us bigint, p_on_timeout text, p_run_id text, p_state json)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_asked bigint;
BEGIN
	IF p_channel = 'web' THEN
		SELECT u.id INTO v_asked FROM users u WHERE lower(u.username) = lower(p_destination) AND NOT u.disabled;
		IF v_asked IS NULL THEN
			RETURN 'no_user';
		END IF;
	END IF;
	INSERT INTO feedback_requests (id, asker_id, channel, destination, asked_id, question, context, options, run_id, state,
		on_timeout, status, due_at, sent_at)
	VALUES (p_id, p_user, p_channel, p_destination, v_asked, p_question, p_context, p_options, p_run_id, p_state,
		p_on_timeout, CASE WHEN p_channel = 'web' THEN 'sent' ELSE 'created' END,
		clock_timestamp() + p_timeout_us * interval '1 us', CASE WHEN p_channel = 'web' THEN clock_timestamp() END);
	IF p_channel <> 'web' THEN
		INSERT INTO outbox (kind, destination, request_id) VALUES (p_channel, p_destination, p_id);
	END IF;
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION feedback_request_create(uuid, bigint, text, text, text, json, jsonb, bigint, text, text, json) IS 'Asks a human and queues what must be sent: ok, no_user';

CREATE FUNCTION feedback_request_end(p_id uuid, p_status text, p_outcome text, p_answer text, p_comment text, p_by bigint,
	p_via text)
RETURNS void
LANGUAGE sql AS $$
	UPDATE feedback_requests SET status = p_status, outcome = p_outcome, answer = p_answer, comment = p_comment,
		answered_by = p_by, answered_via = p_via, ended_at = clock_timestamp(),
		timed_out_at = CASE WHEN p_status = 'expired' THEN clock_timestamp() ELSE timed_out_at END
	WHERE id = p_id;
	UPDATE outbox SET state = 'dropped' WHERE request_id = p_id AND state = 'queued'
$$;
COMMENT ON FUNCTION feedback_request_end(uuid, text, text, text, text, bigint, text) IS 'Ends a request; what was not sent yet need not be sent';

CREATE FUNCTION feedback_request_answer(p_id uuid, p_user bigint, p_decline boolean, p_answer text, p_comment text)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_row feedback_requests;
BEGIN
	SELECT * INTO v_row FROM feedback_requests r WHERE r.id = p_id FOR UPDATE;
	IF NOT FOUND OR (p_user <> 0 AND p_user <> v_row.asker_id AND v_row.asked_id IS DISTINCT FROM p_user) THEN
		RETURN 'not_found';
	ELSIF p_user <> 0 AND v_row.asked_id IS DISTINCT FROM p_user THEN
		RETURN 'forbidden';
	ELSIF v_row.status NOT IN ('created', 'sent') THEN
		RETURN 'closed';
	ELSIF v_row.on_timeout <> 'wait' AND v_row.due_at <= clock_timestamp() THEN
		PERFORM feedback_request_end(p_id, 'expired', v_row.on_timeout, NULL, NULL, NULL, NULL);
		RETURN 'closed';
	ELSIF NOT p_decline AND v_row.options IS NOT NULL AND NOT v_row.options ? p_answer THEN
		RETURN 'no_option';
	END IF;
	PERFORM feedback_request_end(p_id, CASE WHEN p_decline THEN 'declined' ELSE 'answered' END, NULL,
		CASE WHEN NOT p_decline THEN p_answer END, nullif(p_comment, ''), nullif(p_user, 0),
		CASE WHEN p_user <> 0 THEN 'web' ELSE v_row.channel END);
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION feedback_request_answer(uuid, bigint, boolean, text, text) IS 'Answers or declines; user 0: whoever has the link. ok, not_found, forbidden, closed, no_option';

CREATE FUNCTION feedback_request_cancel(p_id uuid, p_user bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_row feedback_requests;
BEGIN
	SELECT * INTO v_row FROM feedback_requests r WHERE r.id = p_id FOR UPDATE;
	IF NOT FOUND OR (p_user <> v_row.asker_id AND v_row.asked_id IS DISTINCT FROM p_user) THEN
		RETURN 'not_found';
	ELSIF p_user <> v_row.asker_id THEN
		RETURN 'forbidden';
	ELSIF v_row.status NOT IN ('created', 'sent') THEN
		RETURN 'closed';
	END IF;
	PERFORM feedback_request_end(p_id, 'cancelled', NULL, NULL, NULL, NULL, NULL);
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION feedback_request_cancel(uuid, bigint) IS 'Takes a request back; its asker only. ok, not_found, forbidden, closed';

-- The queue

CREATE FUNCTION outbox_claim(p_host text, p_mail boolean, p_slack boolean, p_limit integer)
RETURNS TABLE (id text, kind text, destination text, subject text, body text, tries integer, request_id text, asker text,
	question text, context text, options text, on_timeout text, due_at timestamptz)
LANGUAGE sql AS $$
	WITH mine AS (
		SELECT o.id FROM outbox o LEFT JOIN feedback_requests r ON r.id = o.request_id
		WHERE o.state IN ('queued', 'sending') AND (o.next_at <= now() OR (o.state = 'sending' AND o.host = p_host))
			AND ((o.kind = 'mail' AND p_mail) OR (o.kind = 'slack' AND p_slack))
			AND (r.id IS NULL OR r.status IN ('created', 'sent'))
		ORDER BY o.next_at LIMIT p_limit FOR UPDATE OF o SKIP LOCKED
	), taken AS (
		UPDATE outbox o SET state = 'sending', host = p_host, tries = o.tries + 1, next_at = now() + interval '150 seconds'
		FROM mine WHERE o.id = mine.id RETURNING o.*
	)
	SELECT t.id::text, t.kind, t.destination, t.subject, t.body, t.tries, t.request_id::text, u.username, r.question,
		r.context::text, r.options::text, r.on_timeout, r.due_at
	FROM taken t LEFT JOIN feedback_requests r ON r.id = t.request_id LEFT JOIN users u ON u.id = r.asker_id
$$;
COMMENT ON FUNCTION outbox_claim(text, boolean, boolean, integer) IS 'Takes what is due, and what this host''s clerk had when it died; a clerk calls it only while it sends nothing';

CREATE FUNCTION outbox_done(p_id uuid, p_result text, p_error text, p_delay_us bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_row outbox;
BEGIN
	UPDATE outbox o SET
		state = CASE WHEN p_result = 'retry' AND o.created_at > now() - interval '3 days' THEN 'queued'
			WHEN p_result = 'sent' THEN 'sent' ELSE 'failed' END,
		last_error = p_error, next_at = now() + p_delay_us * interval '1 us',
		sent_at = CASE WHEN p_result = 'sent' THEN coalesce(o.sent_at, clock_timestamp()) END
	WHERE o.id = p_id RETURNING * INTO v_row;
	IF v_row.state = 'sent' THEN
		UPDATE feedback_requests r SET status = 'sent', sent_at = v_row.sent_at
		WHERE r.id = v_row.request_id AND r.status = 'created';
	ELSIF v_row.state = 'failed' THEN
		UPDATE feedback_requests r SET delivery_error = p_error WHERE r.id = v_row.request_id;
	END IF;
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION outbox_done(uuid, text, text, bigint) IS 'Notes what became of a try: sent, retry (after so long, for 3 days at most), failed; may be repeated';

CREATE FUNCTION mail_queue(p_to text, p_subject text, p_body text) RETURNS uuid
LANGUAGE sql AS $$
	INSERT INTO outbox (kind, destination, subject, body) VALUES ('mail', p_to, p_subject, p_body) RETURNING id
$$;
COMMENT ON FUNCTION mail_queue(text, text, text) IS 'Queues a mail for the clerk';

CREATE FUNCTION outbox_purge(p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH gone AS (
		DELETE FROM outbox t WHERE t.id = ANY (ARRAY(SELECT s.id FROM outbox s WHERE s.state IN ('sent', 'failed', 'dropped')
			AND s.created_at < now() - interval '30 days' ORDER BY s.created_at LIMIT p_limit)) RETURNING 1
	)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION outbox_purge(integer) IS 'Throws away what was sent or given up over 30 days ago; gives how many';
