-- SPDX-License-Identifier: ISC
-- Jobs: work that happens later, outlives every process, and is repeated until it succeeds. Only the courier runs jobs.
-- Mails and Slack messages move here from table outbox.

CREATE TABLE jobs (
	id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	kind          text NOT NULL CHECK (kind ~ '^[a-z_]{1,32}$'),
	key           text NOT NULL CHECK (length(key) BETWEEN 1 AND 400),
	lane          text NOT NULL,
	state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'dead', 'dropped')),
	due_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
	tries         integer NOT NULL DEFAULT 0,
	owner         text,
	payload       jsonb NOT NULL DEFAULT '{}',
	request_id    uuid REFERENCES feedback_requests ON DELETE CASCADE,
	session_id    uuid REFERENCES sessions ON DELETE CASCADE,
	last_error    text,
	created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	give_up_at    timestamptz NOT NULL DEFAULT clock_timestamp() + interval '3 days',
	started_at    timestamptz,
	finished_at   timestamptz,
	CHECK ((state IN ('done', 'dead', 'dropped')) = (finished_at IS NOT NULL))
);
CREATE UNIQUE INDEX jobs_key ON jobs (kind, key) WHERE state IN ('waiting', 'running');
CREATE INDEX jobs_due ON jobs (due_at) WHERE state = 'waiting';
CREATE INDEX jobs_running ON jobs (due_at) WHERE state = 'running';
CREATE INDEX jobs_dead ON jobs (finished_at) WHERE state = 'dead';
CREATE INDEX jobs_request ON jobs (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX jobs_session ON jobs (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX jobs_old ON jobs (finished_at) WHERE finished_at IS NOT NULL;

COMMENT ON TABLE jobs IS 'Work for the courier: mails and Slack messages, and what became of them';
COMMENT ON COLUMN jobs.id IS 'Number; of a mail also the left part of its Message-ID, the same at every try';
COMMENT ON COLUMN jobs.kind IS 'What to do: mail, slack';
COMMENT ON COLUMN jobs.key IS 'What it is about; at most one job of a kind and key waits or runs';
COMMENT ON COLUMN jobs.lane IS 'What it shares its speed with, such as the domain of a mail address; a slow lane leaves room to the others';
COMMENT ON COLUMN jobs.state IS 'waiting, running (a courier has it), done, dead (given up: it failed for good, or for too long), dropped (not needed any more)';
COMMENT ON COLUMN jobs.due_at IS 'Waiting: next try. Running: when another courier may take it over';
COMMENT ON COLUMN jobs.tries IS 'Number of tries, the running one included';
COMMENT ON COLUMN jobs.owner IS 'Courier that has it: host/daemon/slot/process; NULL: none';
COMMENT ON COLUMN jobs.payload IS 'What the kind needs. mail: to, subject, body; the last two are absent when they are made from the feedback request, because its link is a secret';
COMMENT ON COLUMN jobs.request_id IS 'Feedback request it carries; NULL: none';
COMMENT ON COLUMN jobs.session_id IS 'Chat session whose lead it reports; NULL: none';
COMMENT ON COLUMN jobs.last_error IS 'Why the last try failed; NULL: it did not';
COMMENT ON COLUMN jobs.created_at IS 'When it was queued';
COMMENT ON COLUMN jobs.give_up_at IS 'A try that fails after this time is the last one';
COMMENT ON COLUMN jobs.started_at IS 'Start of the newest try';
COMMENT ON COLUMN jobs.finished_at IS 'When it became done, dead, or dropped';

DROP VIEW IF EXISTS v_outbox;
DROP FUNCTION outbox_claim(text, boolean, boolean, integer);
DROP FUNCTION outbox_done(uuid, text, text, bigint);
DROP FUNCTION outbox_purge(integer);

CREATE FUNCTION mail_lane(p_to text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT lower(regexp_replace(p_to, '^.*@', ''))
$$;
COMMENT ON FUNCTION mail_lane(text) IS 'Lane of a mail: the domain of its address';

-- 2 s, doubled up to 15 minutes, and up to a tenth more.
CREATE FUNCTION job_backoff(p_tries integer) RETURNS interval
LANGUAGE sql VOLATILE AS $$
	SELECT interval '1 second' * least(900, 2 ^ least(p_tries, 20)) * (1 + random() / 10)
$$;
COMMENT ON FUNCTION job_backoff(integer) IS 'Pause after a failed try of that number';

-- A daemon that still runs must not queue anything between the copy and the end of the old table.
LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE;

-- What the clerk was sending when the daemon stopped has an unknown outcome: it counts as a try.
INSERT INTO jobs (id, kind, key, lane, state, due_at, tries, payload, request_id, session_id, last_error, created_at,
	give_up_at, started_at, finished_at)
SELECT o.id, o.kind,
	CASE WHEN o.request_id IS NOT NULL THEN 'request ' || o.request_id WHEN o.session_id IS NOT NULL
		THEN left('lead ' || o.session_id || ' ' || lower(o.destination), 400) ELSE o.id::text END,
	CASE o.kind WHEN 'mail' THEN mail_lane(o.destination) ELSE o.kind END,
	CASE o.state WHEN 'queued' THEN 'waiting' WHEN 'sending' THEN 'waiting' WHEN 'sent' THEN 'done'
		WHEN 'failed' THEN 'dead' ELSE 'dropped' END,
	CASE o.state WHEN 'sending' THEN clock_timestamp() + job_backoff(o.tries) ELSE o.next_at END, o.tries,
	jsonb_strip_nulls(jsonb_build_object('to', o.destination, 'subject', o.subject, 'body', o.body)),
	o.request_id, o.session_id, o.last_error, o.created_at, o.created_at + interval '3 days',
	CASE WHEN o.tries > 0 THEN coalesce(o.sent_at, o.created_at) END,
	CASE WHEN o.state IN ('sent', 'failed', 'dropped') THEN coalesce(o.sent_at, greatest(o.created_at, o.next_at)) END
FROM outbox o;

DROP TABLE outbox;

CREATE FUNCTION jobs_notify() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('parlour_jobs', '');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION jobs_notify() IS 'Wakes the couriers when the transaction commits';
CREATE TRIGGER added AFTER INSERT ON jobs FOR EACH STATEMENT EXECUTE FUNCTION jobs_notify();

-- For whoever needs something done later: the job is committed with the transaction that calls this.
CREATE FUNCTION job_add(p_kind text, p_key text, p_lane text, p_payload jsonb, p_request uuid DEFAULT NULL,
	p_session uuid DEFAULT NULL, p_id uuid DEFAULT gen_random_uuid())
RETURNS uuid
LANGUAGE sql AS $$
	INSERT INTO jobs (id, kind, key, lane, payload, request_id, session_id)
	VALUES (p_id, p_kind, left(p_key, 400), p_lane, p_payload, p_request, p_session)
	ON CONFLICT DO NOTHING RETURNING id
$$;
COMMENT ON FUNCTION job_add(text, text, text, jsonb, uuid, uuid, uuid) IS 'Queues a job; NULL: one of that kind and key waits or runs already, or the id exists';

-- p_owner takes what is due of these kinds, at most p_limit, and of a lane at most as many as p_lane_max says for the kind,
-- p_lanes ("kind lane" of what it runs already) included.
CREATE FUNCTION jobs_claim(p_owner text, p_kinds text[], p_lane_max bigint[], p_lanes text[], p_limit integer,
	p_lease_us bigint)
RETURNS TABLE (id text, kind text, lane text, payload text, tries integer, request_id text, asker text, question text,
	context text, options text, on_timeout text, due_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	v jobs;
	v_request feedback_requests;
	v_lane text;
	v_lanes text[] := p_lanes;
	v_full text[];
	v_taken integer := 0;
BEGIN
	SELECT coalesce(array_agg(l.lane), '{}') INTO v_full FROM unnest(v_lanes) AS l (lane)
		WHERE (SELECT count(*) FROM unnest(v_lanes) AS m (lane) WHERE m.lane = l.lane)
			>= coalesce(p_lane_max[array_position(p_kinds, split_part(l.lane, ' ', 1))], 0);
	WHILE v_taken < p_limit LOOP
		SELECT j.* INTO v FROM jobs j
			WHERE j.state = 'waiting' AND j.due_at <= clock_timestamp() AND j.kind = ANY (p_kinds)
				AND j.kind || ' ' || j.lane <> ALL (v_full)
			ORDER BY j.due_at LIMIT 1 FOR UPDATE SKIP LOCKED;
		EXIT WHEN NOT FOUND;
		SELECT r.* INTO v_request FROM feedback_requests r WHERE r.id = v.request_id;
		IF v.request_id IS NOT NULL AND v_request.status NOT IN ('created', 'sent') THEN
			UPDATE jobs j SET state = 'dropped', finished_at = clock_timestamp() WHERE j.id = v.id;
			CONTINUE;
		END IF;
		UPDATE jobs j SET state = 'running', owner = p_owner, tries = j.tries + 1, started_at = clock_timestamp(),
			due_at = clock_timestamp() + p_lease_us * interval '1 us' WHERE j.id = v.id;
		v_taken := v_taken + 1;
		v_lane := v.kind || ' ' || v.lane;
		v_lanes := v_lanes || v_lane;
		IF cardinality(array_positions(v_lanes, v_lane)) >= p_lane_max[array_position(p_kinds, v.kind)] THEN
			v_full := v_full || v_lane;
		END IF;
		RETURN QUERY SELECT v.id::text, v.kind, v.lane, v.payload::text, v.tries + 1, v.request_id::text,
			(SELECT u.username FROM users u WHERE u.id = v_request.asker_id), v_request.question,
			v_request.context::text, v_request.options::text, v_request.on_timeout, v_request.due_at;
	END LOOP;
END $$;
COMMENT ON FUNCTION jobs_claim(text, text[], bigint[], text[], integer, bigint) IS 'Jobs that are due, for one courier, with the feedback request that each carries';

CREATE FUNCTION jobs_next(p_kinds text[]) RETURNS bigint
LANGUAGE sql AS $$
	SELECT (extract(epoch FROM min(j.due_at) - clock_timestamp()) * 1000000)::bigint FROM jobs j
	WHERE j.state = 'waiting' AND j.due_at > clock_timestamp() AND j.kind = ANY (p_kinds)
$$;
COMMENT ON FUNCTION jobs_next(text[]) IS 'Microseconds until the next job is due that is not due yet; NULL: there is none';

CREATE FUNCTION jobs_owners(p_host text) RETURNS text[]
LANGUAGE sql AS $$
	SELECT coalesce(array_agg(DISTINCT j.owner), '{}') FROM jobs j WHERE j.state = 'running' AND starts_with(j.owner, p_host || '/')
$$;
COMMENT ON FUNCTION jobs_owners(text) IS 'Couriers of a host that have jobs, dead ones included';

-- Extends what p_owner has (p_held), and puts back what nobody works on any more: what couriers that are known to be dead
-- had (p_dead), what p_owner was given without hearing of it, and what was not extended in time.
CREATE FUNCTION jobs_tend(p_owner text, p_dead text[], p_held text[], p_lease_us bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_count bigint;
BEGIN
	UPDATE jobs j SET due_at = clock_timestamp() + p_lease_us * interval '1 us'
		WHERE j.state = 'running' AND j.owner = p_owner AND j.id::text = ANY (p_held);
	UPDATE jobs j SET state = 'waiting', owner = NULL, tries = j.tries - 1, due_at = clock_timestamp()
		WHERE j.state = 'running' AND j.owner = p_owner AND j.id::text <> ALL (p_held);
	WITH lost AS (
		SELECT j.id FROM jobs j WHERE j.state = 'running' AND j.owner <> p_owner
			AND (j.due_at < clock_timestamp() OR j.owner = ANY (p_dead)) FOR UPDATE SKIP LOCKED
	), put_back AS (
		UPDATE jobs j SET owner = NULL, last_error = 'The process that had it ended in the middle of the try.',
			state = CASE WHEN j.give_up_at > now() THEN 'waiting' ELSE 'dead' END,
			finished_at = CASE WHEN j.give_up_at <= now() THEN clock_timestamp() END,
			due_at = clock_timestamp() + job_backoff(j.tries)
		FROM lost WHERE j.id = lost.id RETURNING j.*
	), told AS (
		UPDATE feedback_requests r SET delivery_error = p.last_error FROM put_back p
		WHERE p.state = 'dead' AND r.id = p.request_id
	)
	SELECT count(*) INTO v_count FROM put_back;
	RETURN v_count;
END $$;
COMMENT ON FUNCTION jobs_tend(text, text[], text[], bigint) IS 'Extends what a courier has, puts back what dead ones had (each counts as a try, with its pause); gives how many';

-- p_delay_us NULL: the usual pause. What is known for good counts whoever has the job by now.
CREATE FUNCTION job_end(p_id uuid, p_owner text, p_result text, p_error text, p_delay_us bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v jobs;
BEGIN
	UPDATE jobs j SET owner = NULL, last_error = p_error,
		state = CASE WHEN p_result = 'done' THEN 'done' WHEN p_result = 'retry' AND j.give_up_at > now() THEN 'waiting'
			ELSE 'dead' END,
		finished_at = CASE WHEN p_result <> 'retry' OR j.give_up_at <= now() THEN clock_timestamp() END,
		due_at = CASE WHEN p_result = 'retry' THEN clock_timestamp()
			+ coalesce(p_delay_us * interval '1 us', job_backoff(j.tries)) ELSE j.due_at END
	WHERE j.id = p_id AND ((j.state = 'running' AND j.owner = p_owner)
		OR (p_result <> 'retry' AND j.state IN ('waiting', 'running'))
		OR (p_result = 'done' AND j.state = 'dead'))
	RETURNING * INTO v;
	IF v.state = 'done' THEN
		UPDATE feedback_requests r SET status = 'sent', sent_at = v.finished_at
		WHERE r.id = v.request_id AND r.status = 'created';
	ELSIF v.state = 'dead' THEN
		UPDATE feedback_requests r SET delivery_error = p_error WHERE r.id = v.request_id;
	END IF;
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION job_end(uuid, text, text, text, bigint) IS 'Notes what became of a try: done, retry (until give_up_at), dead; may be repeated';

CREATE FUNCTION jobs_purge(p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH gone AS (
		DELETE FROM jobs t WHERE t.id = ANY (ARRAY(SELECT s.id FROM jobs s
			WHERE s.finished_at < now() - interval '30 days' ORDER BY s.finished_at LIMIT p_limit)) RETURNING 1
	)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION jobs_purge(integer) IS 'Deletes jobs that ended over 30 days ago; gives how many';

-- For operators (parlourctl jobs).

CREATE FUNCTION job_retry(p_id uuid) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE jobs j SET state = 'waiting', due_at = clock_timestamp(), owner = NULL, finished_at = NULL,
		give_up_at = greatest(j.give_up_at, clock_timestamp() + interval '3 days')
		WHERE j.id = p_id AND j.state IN ('waiting', 'dead', 'dropped');
	IF NOT FOUND THEN
		RETURN coalesce((SELECT j.state FROM jobs j WHERE j.id = p_id), 'not_found');
	END IF;
	UPDATE feedback_requests r SET delivery_error = NULL FROM jobs j WHERE j.id = p_id AND r.id = j.request_id;
	PERFORM pg_notify('parlour_jobs', '');
	RETURN 'ok';
EXCEPTION WHEN unique_violation THEN
	RETURN 'exists';
END $$;
COMMENT ON FUNCTION job_retry(uuid) IS 'Makes a job due now that waits, was given up, or was dropped: ok, not_found, running, done, exists (a newer one of its key)';

CREATE FUNCTION job_drop(p_id uuid) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE jobs j SET state = 'dropped', finished_at = coalesce(j.finished_at, clock_timestamp())
		WHERE j.id = p_id AND j.state IN ('waiting', 'dead');
	RETURN CASE WHEN FOUND THEN 'ok' ELSE coalesce((SELECT j.state FROM jobs j WHERE j.id = p_id), 'not_found') END;
END $$;
COMMENT ON FUNCTION job_drop(uuid) IS 'Gives up a job that waits or is dead: ok, not_found, running, done, dropped';

-- Who queues.

CREATE OR REPLACE FUNCTION mail_queue(p_to text, p_subject text, p_body text) RETURNS uuid
LANGUAGE sql AS $$
	SELECT job_add('mail', 'mail ' || gen_random_uuid(), mail_lane(p_to),
		jsonb_build_object('to', p_to, 'subject', p_subject, 'body', p_body))
$$;
COMMENT ON FUNCTION mail_queue(text, text, text) IS 'Queues a mail for the courier';

CREATE OR REPLACE FUNCTION feedback_request_create(p_id uuid, p_user bigint, p_channel text, p_destination text, p_question text,
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
		PERFORM job_add(p_channel, 'request ' || p_id,
			CASE p_channel WHEN 'mail' THEN mail_lane(p_destination) ELSE p_channel END,
			jsonb_build_object('to', p_destination), p_id);
	END IF;
	RETURN 'ok';
END $$;

CREATE OR REPLACE FUNCTION feedback_request_end(p_id uuid, p_status text, p_outcome text, p_answer text, p_comment text, p_by bigint,
	p_via text)
RETURNS void
LANGUAGE sql AS $$
	UPDATE feedback_requests SET status = p_status, outcome = p_outcome, answer = p_answer, comment = p_comment,
		answered_by = p_by, answered_via = p_via, ended_at = clock_timestamp(),
		timed_out_at = CASE WHEN p_status = 'expired' THEN clock_timestamp() ELSE timed_out_at END
	WHERE id = p_id;
	UPDATE jobs SET state = 'dropped', finished_at = clock_timestamp() WHERE request_id = p_id AND state = 'waiting'
$$;

CREATE OR REPLACE FUNCTION feedback_requests_due(p_limit integer)
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
		UPDATE jobs j SET state = 'dropped', finished_at = clock_timestamp() FROM handled h
		WHERE h.status = 'expired' AND j.request_id = h.id AND j.state = 'waiting'
	)
	SELECT h.id::text, h.asker_id, coalesce(h.asked_id, 0), u.username, h.question, h.status, h.outcome, h.due_at
	FROM handled h JOIN users u ON u.id = h.asker_id ORDER BY h.due_at
$$;

COMMENT ON COLUMN sessions.lead_mail IS 'off: mail was off then; queued: see jobs; NULL: not yet';

CREATE OR REPLACE FUNCTION session_learn(p_id uuid, p_seq bigint, p_form jsonb, p_mails jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE sessions s SET form_seq = p_seq, requested_slot = p_form ->> 'requested',
		is_complete = (p_form ->> 'complete')::boolean, form_over = coalesce(p_form ->> 'over', s.form_over)
		WHERE s.id = p_id;
	INSERT INTO session_slots AS t (session_id, name, value, sealed, raw, tries, collected_at)
		SELECT p_id, j.name, j.value, decode(j.sealed, 'hex'), j.raw, j.tries, CASE WHEN j.collected THEN clock_timestamp() END
		FROM jsonb_to_recordset(p_form -> 'slots')
			AS j (name text, value text, sealed text, raw text, tries integer, collected boolean)
		ON CONFLICT (session_id, name) DO UPDATE SET tries = excluded.tries,
			value = CASE WHEN excluded.collected_at IS NULL THEN t.value ELSE excluded.value END,
			sealed = CASE WHEN excluded.collected_at IS NULL THEN t.sealed ELSE excluded.sealed END,
			raw = CASE WHEN excluded.collected_at IS NULL THEN t.raw ELSE excluded.raw END,
			collected_at = coalesce(excluded.collected_at, t.collected_at);
	UPDATE sessions s SET lead_at = clock_timestamp(),
		lead_mail = CASE WHEN jsonb_array_length(p_mails) > 0 THEN 'queued' ELSE 'off' END
		WHERE s.id = p_id AND s.lead_at IS NULL AND (s.is_complete OR s.form_over = 'handed_over');
	IF FOUND THEN
		PERFORM job_add('mail', 'lead ' || p_id || ' ' || lower(j.payload ->> 'to'), mail_lane(j.payload ->> 'to'), j.payload,
			NULL, p_id, md5('parlour lead ' || p_id || ' ' || lower(j.payload ->> 'to'))::uuid)
			FROM jsonb_array_elements(p_mails) AS j (payload);
	END IF;
END $$;
