-- SPDX-License-Identifier: ISC
-- Votes and prices reach the rows that the figures are computed from.

-- ---- votes ----

ALTER TABLE feedback ADD COLUMN judged uuid;
CREATE INDEX feedback_judged ON feedback (judged) WHERE judged IS NOT NULL;
COMMENT ON COLUMN feedback.judged IS 'Session or generation whose figures the vote counts for; NULL: a message that no model wrote';

ALTER TABLE sessions ADD COLUMN vote double precision CHECK (vote BETWEEN -1 AND 1);
ALTER TABLE usage ADD COLUMN vote double precision CHECK (vote BETWEEN -1 AND 1);
ALTER TABLE usage ADD COLUMN accepted_flag boolean
	GENERATED ALWAYS AS (CASE WHEN vote > 0 THEN true WHEN vote < 0 THEN false END) STORED;
COMMENT ON COLUMN sessions.vote IS 'Mean of the votes on it, one per person (their newest); NULL: nobody voted';
COMMENT ON COLUMN usage.vote IS 'Mean of the votes on the answer or its message, one per person (their newest); NULL: nobody voted';
COMMENT ON COLUMN usage.accepted_flag IS 'What the votes say: above 0 true, below 0 false, else NULL';
COMMENT ON COLUMN sessions.accepted_flag IS 'The result was taken (true), rejected (false), or nobody said (NULL): by the votes; while there are none, as the import said (meta.accepted_flag)';
COMMENT ON COLUMN sessions.meta IS 'What else the source told; of an import its own feedback_score (1 to 5) and accepted_flag, which count while nobody voted';

-- Every row of usage has one score at most, so nothing counts twice: votes stand in for what an import says of itself, they
-- are not added to it, and it comes back when the last vote is withdrawn.
CREATE FUNCTION feedback_vote(p_judged uuid) RETURNS double precision
LANGUAGE sql STABLE AS $$
	SELECT avg(v.score) FROM (SELECT DISTINCT ON (f.user_id) f.score FROM feedback f WHERE f.judged = p_judged
		ORDER BY f.user_id, f.updated_at DESC, f.id DESC) v
$$;
COMMENT ON FUNCTION feedback_vote(uuid) IS 'Mean of the votes that count for a session or generation; who voted on an answer and on its message counts once, with the newer';

CREATE FUNCTION feedback_judges(p_kind text, p_target text) RETURNS uuid
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN p_kind <> 'message' THEN p_target::uuid ELSE (SELECT m.generation_id FROM messages m
		WHERE m.room_id = split_part(p_target, '.', 1)::bigint AND m.seq = split_part(p_target, '.', 2)::bigint) END
$$;
COMMENT ON FUNCTION feedback_judges(text, text) IS 'Session or generation behind something that exists and may be judged; NULL: none';

-- The row is locked first: of two votes at once the later one sees the other.
CREATE FUNCTION feedback_settle(p_judged uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM sessions s WHERE s.id = p_judged FOR NO KEY UPDATE;
	IF FOUND THEN
		UPDATE sessions s SET vote = v.vote, accepted_flag = CASE WHEN v.vote > 0 THEN true WHEN v.vote < 0 THEN false
			WHEN v.vote IS NULL THEN (s.meta ->> 'accepted_flag')::boolean END
		FROM feedback_vote(p_judged) AS v (vote) WHERE s.id = p_judged;
		RETURN;
	END IF;
	PERFORM 1 FROM generations g WHERE g.id = p_judged FOR NO KEY UPDATE;	-- its row of usage may be on its way
	PERFORM 1 FROM usage u WHERE u.generation_id = p_judged FOR NO KEY UPDATE;
	UPDATE usage u SET vote = feedback_vote(p_judged) WHERE u.generation_id = p_judged;
END $$;
COMMENT ON FUNCTION feedback_settle(uuid) IS 'Brings the votes on a session or generation into its row of usage';

CREATE FUNCTION feedback_counts() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP <> 'DELETE' AND NEW.judged IS NOT NULL THEN
		PERFORM feedback_settle(NEW.judged);
	END IF;
	IF TG_OP <> 'INSERT' AND OLD.judged IS NOT NULL AND (TG_OP = 'DELETE' OR OLD.judged IS DISTINCT FROM NEW.judged) THEN
		PERFORM feedback_settle(OLD.judged);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION feedback_counts() IS 'Trigger: a vote came, changed or went, also with its account';
CREATE TRIGGER feedback_counts AFTER INSERT OR UPDATE OR DELETE ON feedback
	FOR EACH ROW EXECUTE FUNCTION feedback_counts();

CREATE FUNCTION usage_voted() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	NEW.vote := feedback_vote(NEW.generation_id);
	RETURN NEW;
END $$;
COMMENT ON FUNCTION usage_voted() IS 'Trigger: an answer may be judged while it is being written';
CREATE TRIGGER usage_voted BEFORE INSERT ON usage FOR EACH ROW EXECUTE FUNCTION usage_voted();

CREATE FUNCTION feedback_give(p_user bigint, p_access text, p_kind text, p_target text, p_score double precision,
	p_comment text)
RETURNS TABLE (status text, fresh boolean, id bigint, target_kind text, target_id text, score double precision,
	comment text, created_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	v_target text := feedback_target(p_user, p_access, p_kind, p_target);
BEGIN
	IF v_target IS NULL THEN
		RETURN QUERY SELECT 'not_found', false, NULL::bigint, NULL::text, NULL::text, NULL::double precision, NULL::text,
			NULL::timestamptz, NULL::timestamptz;
		RETURN;
	END IF;
	RETURN QUERY INSERT INTO feedback AS f (user_id, target_kind, target_id, score, comment, judged)
		VALUES (p_user, p_kind, v_target, p_score, p_comment, feedback_judges(p_kind, v_target))
		ON CONFLICT (user_id, target_kind, target_id) DO UPDATE SET score = p_score, comment = p_comment,
			updated_at = clock_timestamp()
		RETURNING 'ok', f.xmax = 0, f.id, f.target_kind, f.target_id, f.score, f.comment, f.created_at, f.updated_at;
END $$;
COMMENT ON FUNCTION feedback_give(bigint, text, text, text, double precision, text) IS 'Votes, or votes again; the row of usage of what is judged follows: ok, not_found';

CREATE FUNCTION feedback_withdraw(p_user bigint, p_id bigint) RETURNS text
LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM feedback f WHERE f.id = p_id AND f.user_id = p_user RETURNING 1)
	SELECT CASE WHEN EXISTS (SELECT FROM gone) THEN 'ok' ELSE 'not_found' END
$$;
COMMENT ON FUNCTION feedback_withdraw(bigint, bigint) IS 'Takes one of one''s own votes back: ok, not_found';

CREATE FUNCTION usage_import(p_rows jsonb) RETURNS bigint
LANGUAGE sql AS $$
	WITH stored AS (
		INSERT INTO sessions (kind, source, external_id, developer, state, model, prompt_tokens, completion_tokens,
			total_tokens, cost_micros, accepted_flag, errors, started_at, last_at, ended_at, meta)
		SELECT 'usage', r.source, r.id, r.developer, 'ended', r.model, r.prompt, r.completion, r.total, r.cost_micros,
			r.accepted, r.errors, r.at, coalesce(r.ended, r.at), coalesce(r.ended, r.at),
			nullif(jsonb_strip_nulls(jsonb_build_object('feedback_score', r.score, 'accepted_flag', r.accepted)), '{}')
		FROM jsonb_to_recordset(p_rows) AS r (source text, id text, developer text, model text, prompt bigint,
			completion bigint, total bigint, cost_micros bigint, accepted boolean, errors integer, at timestamptz,
			ended timestamptz, score double precision)
		ON CONFLICT (source, external_id) WHERE external_id IS NOT NULL DO NOTHING
		RETURNING 1
	)
	SELECT count(*) FROM stored
$$;
COMMENT ON FUNCTION usage_import(jsonb) IS 'Stores usage sessions; those whose (source, id) is there already are left alone; gives how many were new';

CREATE OR REPLACE VIEW usage_rows AS
	SELECT s.started_at AS at, coalesce(s.developer, u.username) AS developer, s.user_id, s.model, s.total_tokens AS tokens,
		s.cost_micros, s.accepted_flag AS accepted, s.errors > 0 AS failed,
		CASE WHEN s.last_at > s.started_at THEN extract(epoch FROM s.last_at - s.started_at)::double precision / 60 END AS minutes,
		coalesce(3 + 2 * s.vote, (s.meta ->> 'feedback_score')::double precision) AS score
	FROM sessions s LEFT JOIN users u ON u.id = s.user_id
	UNION ALL
	SELECT g.at, u.username, g.user_id, g.model, g.prompt_tokens + g.completion_tokens, coalesce(g.cost_micros, 0),
		g.accepted_flag, g.state IN ('failed', 'interrupted'), NULL, 3 + 2 * g.vote
	FROM usage g LEFT JOIN users u ON u.id = g.user_id;
COMMENT ON VIEW usage_rows IS 'Everything that counts as one use of a model: sessions of any kind, and answers in rooms. score is 1 to 5: the mean vote (-1 is 1, 0 is 3, 1 is 5), and only where nobody voted the figure that an import carries';

UPDATE sessions s SET meta = coalesce(s.meta, '{}') || jsonb_build_object('accepted_flag', s.accepted_flag)
	WHERE s.kind = 'usage' AND s.accepted_flag IS NOT NULL
	AND NOT EXISTS (SELECT FROM feedback f WHERE f.target_kind = 'session' AND f.target_id = s.id::text);
UPDATE feedback f SET judged = feedback_judges(f.target_kind, f.target_id);	-- the trigger does the rest

-- ---- prices ----

ALTER TABLE model_prices ADD COLUMN valid_from date NOT NULL DEFAULT '1970-01-01';
ALTER TABLE model_prices DROP CONSTRAINT model_prices_pkey, ADD PRIMARY KEY (upstream, model, valid_from);
COMMENT ON TABLE model_prices IS 'Prices of models, kept with parlourctl price; what an upstream says of its own cost wins over them';
COMMENT ON COLUMN model_prices.upstream IS 'NAME of an [llm NAME] section; *: whichever answers with that model';
COMMENT ON COLUMN model_prices.valid_from IS 'First day (UTC) of the price; it holds until the next one begins';

ALTER TABLE usage ADD COLUMN told boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN usage.told IS 'The upstream said what it cost';
COMMENT ON COLUMN usage.cost_micros IS 'Cost in millionths of a US dollar: as the upstream says, else by model_prices; 0 for local; NULL: not known (no price, or nobody said how many tokens)';
ALTER TABLE session_messages ADD COLUMN upstream text, ADD COLUMN cost_micros bigint CHECK (cost_micros >= 0);
CREATE INDEX session_messages_cost ON session_messages (created_at) WHERE upstream IS NOT NULL;
COMMENT ON COLUMN session_messages.upstream IS 'Upstream that was asked for it; NULL: none, a person or the form alone wrote it';
COMMENT ON COLUMN session_messages.cost_micros IS 'As usage.cost_micros; NULL: not known, or upstream is NULL';
COMMENT ON COLUMN sessions.cost_micros IS 'Cost in millionths of a US dollar, as far as it is known (session_messages.cost_micros summed)';
UPDATE session_messages SET upstream = 'local', cost_micros = 0 WHERE author = 'assistant' AND model = 'local-1';

CREATE FUNCTION model_undated(p_model text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT regexp_replace(p_model, '-20[0-9]{2}-?[01][0-9]-?[0-3][0-9]$', '')
$$;
COMMENT ON FUNCTION model_undated(text) IS 'Name of a model without the date that providers append: they are asked for m1 and answer as m1-2026-08-06';

CREATE FUNCTION usage_cost(p_upstream text, p_model text, p_prompt bigint, p_completion bigint, p_told bigint, p_at timestamptz)
RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN p_upstream = 'local' THEN 0 WHEN p_told >= 0 THEN p_told
		WHEN p_prompt IS NOT NULL OR p_completion IS NOT NULL THEN
			(SELECT round(p.prompt_usd * coalesce(p_prompt, 0) + p.completion_usd * coalesce(p_completion, 0))::bigint
			FROM model_prices p WHERE p.model IN (p_model, model_undated(p_model)) AND p.upstream IN (p_upstream, '*')
				AND p.valid_from <= (p_at AT TIME ZONE 'UTC')::date
			ORDER BY p.model <> p_model, p.upstream = '*', p.valid_from DESC LIMIT 1) END
$$;
COMMENT ON FUNCTION usage_cost(text, text, bigint, bigint, bigint, timestamptz) IS 'Millionths of a US dollar for these tokens at that time: what the upstream told, else the price of the model (else of its undated name) at that upstream, else at any; NULL: not known';

CREATE FUNCTION generation_end(p_id uuid, p_state text, p_error_code text, p_partial text, p_upstream text,
	p_model text, p_prompt_tokens bigint, p_completion_tokens bigint, p_answer_seq bigint, p_first_text_at timestamptz,
	p_told bigint)
RETURNS TABLE (status text, room_id bigint, role_id bigint, follow_up_seq bigint, follow_up_asker bigint)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY WITH ended AS (
		UPDATE generations g SET state = p_state, error_code = p_error_code, partial = p_partial,
			upstream = coalesce(p_upstream, g.upstream), model = coalesce(p_model, g.model),
			prompt_tokens = p_prompt_tokens, completion_tokens = p_completion_tokens, answer_seq = p_answer_seq,
			first_text_at = p_first_text_at, ended_at = clock_timestamp()
		WHERE g.id = p_id AND g.state IN ('queued', 'running')
		RETURNING g.*
	), noted AS (
		INSERT INTO usage (generation_id, room_id, role_id, user_id, model, upstream, prompt_tokens, completion_tokens,
			cost_micros, told, state, at)
		SELECT e.id, e.room_id, e.role_id, (SELECT u.id FROM users u WHERE u.id = e.asker_id), e.model, e.upstream,
			greatest(coalesce(e.prompt_tokens, 0), 0), greatest(coalesce(e.completion_tokens, 0), 0),
			usage_cost(e.upstream, e.model, e.prompt_tokens, e.completion_tokens, p_told, e.ended_at),
			e.upstream IS DISTINCT FROM 'local' AND coalesce(p_told, -1) >= 0, e.state, e.ended_at
		FROM ended e ON CONFLICT DO NOTHING
	)
	SELECT 'ok', e.room_id, e.role_id, e.follow_up_seq, e.follow_up_asker FROM ended e;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'already', g.room_id, g.role_id, NULL::bigint, NULL::bigint FROM generations g WHERE g.id = p_id;
	END IF;
END $$;
COMMENT ON FUNCTION generation_end(uuid, text, text, text, text, text, bigint, bigint, bigint, timestamptz, bigint) IS 'Ends an answer and notes its use; p_told: cost in millionths of a US dollar as the upstream says';

CREATE VIEW usage_answers AS
	SELECT g.at, g.user_id, g.upstream, g.model, g.prompt_tokens, g.completion_tokens, g.cost_micros,
		g.state IN ('failed', 'interrupted') AS failed
	FROM usage g
	UNION ALL
	SELECT m.created_at, s.user_id, m.upstream, m.model, coalesce(m.prompt_tokens, 0), coalesce(m.completion_tokens, 0),
		m.cost_micros, m.state IN ('failed', 'interrupted')
	FROM session_messages m JOIN sessions s ON s.id = m.session_id WHERE m.upstream IS NOT NULL;
COMMENT ON VIEW usage_answers IS 'Answers of models with tokens and cost: in rooms and in sessions with the chatbot';

-- What was answered since the price holds and has no cost yet is charged; what has one keeps it.
CREATE FUNCTION price_set(p_upstream text, p_model text, p_prompt numeric, p_completion numeric, p_from date) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_charged bigint;
	v_more bigint;
BEGIN
	INSERT INTO model_prices AS t (upstream, model, prompt_usd, completion_usd, valid_from)
		VALUES (p_upstream, p_model, p_prompt, p_completion, p_from)
		ON CONFLICT (upstream, model, valid_from) DO UPDATE SET prompt_usd = p_prompt, completion_usd = p_completion;
	UPDATE usage u SET cost_micros = usage_cost(u.upstream, u.model, u.prompt_tokens, u.completion_tokens, NULL, u.at)
		WHERE u.cost_micros IS NULL AND p_model IN (u.model, model_undated(u.model)) AND p_upstream IN (u.upstream, '*')
			AND u.prompt_tokens + u.completion_tokens > 0 AND u.at >= p_from::timestamp AT TIME ZONE 'UTC';
	GET DIAGNOSTICS v_charged = ROW_COUNT;
	WITH charged AS (
		UPDATE session_messages m SET cost_micros = usage_cost(m.upstream, m.model, m.prompt_tokens, m.completion_tokens, NULL,
			m.created_at)
		WHERE m.cost_micros IS NULL AND p_model IN (m.model, model_undated(m.model)) AND p_upstream IN (m.upstream, '*')
			AND coalesce(m.prompt_tokens, 0) + coalesce(m.completion_tokens, 0) > 0
			AND m.created_at >= p_from::timestamp AT TIME ZONE 'UTC'
		RETURNING m.session_id, m.cost_micros
	), summed AS (
		UPDATE sessions s SET cost_micros = s.cost_micros + c.cost
		FROM (SELECT h.session_id, sum(h.cost_micros)::bigint AS cost FROM charged h GROUP BY 1) c WHERE s.id = c.session_id
	)
	SELECT count(*) INTO v_more FROM charged;
	RETURN v_charged + v_more;
END $$;
COMMENT ON FUNCTION price_set(text, text, numeric, numeric, date) IS 'A price from a day on; gives how many answers without a cost it charged';

CREATE FUNCTION price_remove(p_upstream text, p_model text, p_from date) RETURNS bigint
LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM model_prices p WHERE p.upstream = p_upstream AND p.model = p_model
		AND (p_from IS NULL OR p.valid_from = p_from) RETURNING 1)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION price_remove(text, text, date) IS 'Removes prices of a model, of one first day or all; what was charged keeps its cost; gives how many';

-- ---- without a token (setting anonymous) ----

CREATE FUNCTION session_key(p_key text) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN p_key ~ '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$' THEN p_key::uuid END
$$;
COMMENT ON FUNCTION session_key(text) IS 'A text as the number of a session; NULL when it does not look like one';

CREATE FUNCTION profile_of_all()
RETURNS TABLE (preferences text, messages bigint, rooms bigint, sessions bigint, answers bigint, tokens bigint,
	cost_micros bigint, votes bigint)
LANGUAGE sql STABLE AS $$
	SELECT '{}'::text, (SELECT count(*) FROM messages m WHERE m.author_kind = 'user' AND m.deleted_at IS NULL),
		(SELECT count(*) FROM rooms), s.n, g.n, s.tokens + g.tokens, s.cost + g.cost, (SELECT count(*) FROM feedback)
	FROM (SELECT count(*) AS n, coalesce(sum(t.total_tokens), 0)::bigint AS tokens,
			coalesce(sum(t.cost_micros), 0)::bigint AS cost FROM sessions t) s,
		(SELECT count(*) AS n, coalesce(sum(t.prompt_tokens + t.completion_tokens), 0)::bigint AS tokens,
			coalesce(sum(t.cost_micros), 0)::bigint AS cost FROM usage t) g
$$;
COMMENT ON FUNCTION profile_of_all() IS 'What all users did together; GET /api/profile without a token';
