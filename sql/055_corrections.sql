-- SPDX-License-Identifier: ISC
-- Corrections: whom the directory shows, account mails that pile up, and answers that were marked as abandoned too early.

-- A session with an empty search_path (psql of an administrator) may change display names too.
ALTER FUNCTION shown_claim(bigint, text) SET search_path FROM CURRENT;
ALTER FUNCTION user_shows() SET search_path FROM CURRENT;
ALTER FUNCTION user_showed() SET search_path FROM CURRENT;

CREATE OR REPLACE FUNCTION import_user(p_source text, r jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_hash text := r ->> 'password_hash';
	v_at timestamptz := import_time(r, 'created_at');
	v_made record;
BEGIN
	PERFORM import_rule(name_ok(r ->> 'username'), 'username must be 1 to 32 of letters, digits, _ . -, not all digits, no reserved word');
	PERFORM import_rule(coalesce(r ->> 'email' ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND length(r ->> 'email') <= 254, r ->> 'email' IS NULL), 'email must be an address');
	PERFORM import_rule(length(r ->> 'name') BETWEEN 1 AND 128 OR r ->> 'name' IS NULL, 'name must have 1 to 128 characters');
	PERFORM import_rule(v_hash IS NULL OR v_hash ~ '^\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}$' OR (v_hash LIKE '$argon2id$v=19$%'
		AND length(v_hash) < 128), 'password_hash must be bcrypt ($2a$, $2b$, $2y$, cost 4 to 16) or Argon2id');
	PERFORM import_rule(coalesce(r ->> 'access', 'user') IN ('user', 'analyst', 'operator', 'admin'), 'access must be user, analyst, operator or admin');
	SELECT * INTO v_made FROM user_create(r ->> 'username', r ->> 'email', r ->> 'name', v_hash, coalesce(r ->> 'access', 'user'));
	PERFORM import_rule(v_made.status <> 'taken_name', format('username %s is taken, or is the display name of another user',
		r ->> 'username'));
	PERFORM import_rule(v_made.status <> 'taken_email', format('email %s is taken', r ->> 'email'));
	PERFORM import_rule(v_made.status <> 'taken_shown', format('name %s is the username of another user, or the name of a role',
		r ->> 'name'));
	UPDATE users u SET created_at = coalesce(v_at, u.created_at), disabled = coalesce((r ->> 'disabled')::boolean, false)
		WHERE u.id = v_made.id;
	RETURN v_made.id;
END $$;

-- The id of a hidden user in `after` must not reveal how well that user fits.
CREATE OR REPLACE FUNCTION people_find(p_user bigint, p_whom text, p_query text, p_after bigint, p_offset bigint, p_limit integer)
RETURNS TABLE (total bigint, user_id bigint)
LANGUAGE plpgsql STABLE SET pg_trgm.word_similarity_threshold = 0.45 AS $$
DECLARE
	v_query text := nullif(btrim(lower(ltrim(p_query, '@'))), '');
	v_like text := regexp_replace(v_query, '([\\%_])', '\\\1', 'g');
	v_rank double precision := 0;
	v_hits text := 'SELECT u.id, 0::double precision AS rank FROM users u WHERE NOT u.disabled';
BEGIN
	IF v_query IS NOT NULL THEN
		IF p_after > 0 THEN
			SELECT people_rank(u.username, u.name, v_query) INTO v_rank FROM users u
				WHERE u.id = p_after AND people_sees(p_user, p_whom, u.id);
		END IF;
		v_hits := 'SELECT u.id, people_rank(u.username, u.name, $3) AS rank FROM users u WHERE NOT u.disabled '
			|| 'AND (lower(u.username) LIKE $7 || ''%'' OR lower(u.name) LIKE $7 || ''%'' OR lower(u.name) LIKE ''% '' || $7 || ''%'''
			|| CASE WHEN length(v_query) > 2 THEN ' OR $3 <% lower(u.username) OR $3 <% lower(u.name))' ELSE ')' END;
	END IF;
	IF p_whom <> 'all' THEN		-- as people_sees(), but once for all rows
		v_hits := v_hits || ' AND (u.id = $1' || CASE WHEN p_whom = 'shared_rooms' THEN ' OR u.id IN (SELECT b.user_id '
			|| 'FROM members a JOIN members b ON b.room_id = a.room_id WHERE a.user_id = $1)' ELSE '' END || ')';
	END IF;
	RETURN QUERY EXECUTE format('SELECT %s, p.id FROM (SELECT) one LEFT JOIN (SELECT h.id, h.rank FROM (%s) h WHERE %s '
		|| 'ORDER BY h.rank, h.id OFFSET $5 LIMIT $6) p ON true ORDER BY p.rank, p.id',
		CASE WHEN p_offset IS NULL THEN '0::bigint' ELSE format('(SELECT count(*) FROM (%s) c)', v_hits) END, v_hits,
		CASE WHEN p_after = 0 THEN 'true' WHEN v_query IS NULL THEN 'h.id > $4' ELSE '(h.rank, h.id) > ($8, $4)' END)
		USING p_user, p_whom, v_query, p_after, coalesce(p_offset, 0), p_limit, v_like, v_rank;
END $$;
COMMENT ON FUNCTION people_find(bigint, text, text, bigint, bigint, integer) IS 'Users whose user name or display name begins so, has a word that does, or is written alike, the best first; NULL: all, by id. At least one row, with user_id NULL where there is none; total is counted with p_offset only';

CREATE OR REPLACE FUNCTION jobs_claim(p_owner text, p_kinds text[], p_lane_max bigint[], p_lanes text[], p_limit integer,
	p_lease_us bigint)
RETURNS TABLE (id text, kind text, lane text, payload text, tries integer, request_id text, asker text, question text,
	context text, options text, on_timeout text, due_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	v jobs;
	v_request feedback_requests;
	v_made record;
	v_lane text;
	v_lanes text[] := p_lanes;
	v_full text[];
	v_taken integer := 0;
	v_send boolean;
	v_passed integer := 0;
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
		IF v.kind = 'account_mail' THEN
			SELECT m.* INTO v_made FROM account_mail_make(v) m;
			v_send := v_made.action = 'send' AND v.kind || ' ' || v_made.lane <> ALL (v_full);
			IF v_made.action = 'wait' THEN
				UPDATE jobs j SET due_at = clock_timestamp() + interval '1 second' WHERE j.id = v.id;
			ELSIF v_made.action = 'drop' THEN
				UPDATE jobs j SET state = 'dropped', finished_at = clock_timestamp(), payload = '{}' WHERE j.id = v.id;
			ELSIF NOT v_send THEN		-- it has its lane now; a later claim makes another token
				DELETE FROM account_tokens t WHERE t.token_hash = sha256(convert_to(v_made.payload ->> 'token', 'UTF8'));
			END IF;
			IF NOT v_send THEN
				v_passed := v_passed + 1;
				IF v_passed >= 200 THEN		-- a flood of them must not hold up the claim
					PERFORM pg_notify('parlour_jobs', '');
					EXIT;
				END IF;
				CONTINUE;
			END IF;
			v.payload := v_made.payload;
			v.lane := v_made.lane;
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

CREATE OR REPLACE FUNCTION purge(p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH k AS (
		DELETE FROM idempotency_keys t WHERE t.ctid = ANY (ARRAY(SELECT s.ctid FROM idempotency_keys s
			WHERE s.created_at < clock_timestamp() - interval '24 hours' ORDER BY s.created_at LIMIT p_limit)) RETURNING 1
	), l AS (
		DELETE FROM login_sessions t WHERE t.id = ANY (ARRAY(SELECT s.id FROM login_sessions s
			WHERE s.expires_at < clock_timestamp() - interval '30 days'
				OR s.ended_at < clock_timestamp() - interval '30 days' LIMIT p_limit)) RETURNING 1
	), h AS (
		DELETE FROM limit_hits t WHERE t.id = ANY (ARRAY(SELECT s.id FROM limit_hits s
			WHERE s.last_at < clock_timestamp() - interval '30 days' ORDER BY s.last_at LIMIT p_limit)) RETURNING 1
	), a AS (
		DELETE FROM account_tokens t WHERE t.token_hash = ANY (ARRAY(SELECT s.token_hash FROM account_tokens s
			WHERE s.created_at < clock_timestamp() - interval '24 hours' ORDER BY s.created_at LIMIT p_limit)) RETURNING 1
	), j AS (
		-- no courier may claim them when the settings for links are gone
		UPDATE jobs t SET state = 'dropped', finished_at = clock_timestamp(), payload = '{}' WHERE t.id = ANY (ARRAY(SELECT s.id
			FROM jobs s WHERE s.kind = 'account_mail' AND s.state = 'waiting'
			AND s.created_at < clock_timestamp() - interval '2 hours' LIMIT p_limit)) RETURNING 1
	)
	SELECT (SELECT count(*) FROM k) + (SELECT count(*) FROM l) + (SELECT count(*) FROM h) + (SELECT count(*) FROM a)
		+ (SELECT count(*) FROM j)
$$;
COMMENT ON FUNCTION purge(integer) IS 'Throws away old idempotency keys and tokens of mailed links (24 h), login sessions and limit hits (30 days), and drops account mails that waited for 2 hours; gives how many';

-- A clerk that could not note its answers cannot judge those of others either: what kept it away may have kept them.
DROP FUNCTION generations_abandoned(text, integer);
CREATE FUNCTION generations_abandoned(p_host text, p_well_us bigint, p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	SELECT count(*) FROM generations_mark(ARRAY(SELECT g.id FROM generations g,
			LATERAL (SELECT CASE WHEN g.host = p_host THEN interval '5 seconds' ELSE interval '30 seconds' END) a (age)
		WHERE g.state IN ('queued', 'running') AND a.age <= p_well_us * interval '1 us'
			AND coalesce(g.seen_at, g.created_at) < clock_timestamp() - a.age
		ORDER BY g.id LIMIT p_limit FOR NO KEY UPDATE OF g SKIP LOCKED))
$$;
COMMENT ON FUNCTION generations_abandoned(text, bigint, integer) IS 'Ends answers that no clerk has seen for 5 s (of other hosts: 30 s), if the clerk that asks has worked for that long without a gap (p_well_us); gives how many. Should their text come after all, it counts';

-- An answer that was marked and whose text came after all: its use counts as well.
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
		RETURN QUERY SELECT 'already', g.room_id, g.role_id, NULL::bigint, NULL::bigint, g.state, g.answer_seq, NULL::bigint;
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
