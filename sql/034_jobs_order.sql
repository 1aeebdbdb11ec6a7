-- SPDX-License-Identifier: ISC
-- Jobs: one lock order (the feedback request, then its job), and no verdict about other couriers' jobs by a courier that
-- has lost contact itself.

-- The order of feedback_request_end() and feedback_requests_due(). A job's request never changes.
CREATE FUNCTION job_lock_request(p_id uuid) RETURNS void
LANGUAGE sql AS $$
	SELECT 1 FROM feedback_requests r WHERE r.id = (SELECT j.request_id FROM jobs j WHERE j.id = p_id) FOR NO KEY UPDATE
$$;
COMMENT ON FUNCTION job_lock_request(uuid) IS 'Locks the feedback request of a job; called before the job is locked';

DROP FUNCTION jobs_tend(text, text[], text[], bigint);
CREATE FUNCTION jobs_tend(p_owner text, p_dead text[], p_held text[], p_lease_us bigint, p_expired boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_requests uuid[];
	v_count bigint;
BEGIN
	UPDATE jobs j SET due_at = clock_timestamp() + p_lease_us * interval '1 us'
		WHERE j.state = 'running' AND j.owner = p_owner AND j.id::text = ANY (p_held);
	UPDATE jobs j SET state = 'waiting', owner = NULL, tries = j.tries - 1, due_at = clock_timestamp()
		WHERE j.state = 'running' AND j.owner = p_owner AND j.id::text <> ALL (p_held);
	SELECT coalesce(array_agg(l.id), '{}') INTO v_requests FROM (SELECT r.id FROM feedback_requests r
		JOIN jobs j ON j.request_id = r.id WHERE j.state = 'running' AND j.owner <> p_owner
			AND ((p_expired AND j.due_at < clock_timestamp()) OR j.owner = ANY (p_dead))
		FOR NO KEY UPDATE OF r SKIP LOCKED) l;
	WITH lost AS (
		SELECT j.id FROM jobs j WHERE j.state = 'running' AND j.owner <> p_owner
			AND ((p_expired AND j.due_at < clock_timestamp()) OR j.owner = ANY (p_dead))
			AND (j.request_id IS NULL OR j.request_id = ANY (v_requests)) FOR UPDATE SKIP LOCKED
	), put_back AS (
		UPDATE jobs j SET owner = NULL, last_error = 'The process that had it ended in the middle of the try.',
			state = CASE WHEN j.give_up_at > now() THEN 'waiting' ELSE 'dead' END,
			finished_at = CASE WHEN j.give_up_at <= now() THEN clock_timestamp() END,
			due_at = clock_timestamp() + job_backoff(j.tries)
		FROM lost WHERE j.id = lost.id RETURNING j.*
	), reported AS (
		UPDATE feedback_requests r SET delivery_error = p.last_error FROM put_back p
		WHERE p.state = 'dead' AND r.id = p.request_id
	)
	SELECT count(*) INTO v_count FROM put_back;
	RETURN v_count;
END $$;
COMMENT ON FUNCTION jobs_tend(text, text[], text[], bigint, boolean) IS 'Extends the lease of what a courier has; puts back what dead couriers had and, if p_expired, what was not extended in time. Each counts as an attempt, with its pause. Returns the number of jobs put back';

CREATE OR REPLACE FUNCTION job_end(p_id uuid, p_owner text, p_result text, p_error text, p_delay_us bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v jobs;
BEGIN
	PERFORM job_lock_request(p_id);
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

CREATE OR REPLACE FUNCTION job_retry(p_id uuid) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM job_lock_request(p_id);
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

COMMENT ON COLUMN jobs.owner IS 'Courier that has it: host@network/daemon/slot/process; NULL: none';
COMMENT ON FUNCTION jobs_owners(text) IS 'Couriers of a host and network namespace that have jobs, dead ones included';
