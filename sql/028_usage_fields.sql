-- SPDX-License-Identifier: ISC
-- More fields of imported usage sessions, and the sums of a profile.

CREATE OR REPLACE FUNCTION usage_import(p_rows jsonb) RETURNS bigint
LANGUAGE sql AS $$
	WITH stored AS (
		INSERT INTO sessions (kind, source, external_id, developer, state, model, prompt_tokens, completion_tokens,
			total_tokens, cost_micros, accepted_flag, errors, started_at, last_at, ended_at, meta)
		SELECT 'usage', r.source, r.id, r.developer, 'ended', r.model, r.prompt, r.completion, r.total, r.cost_micros,
			r.accepted, r.errors, r.at, coalesce(r.ended, r.at), coalesce(r.ended, r.at),
			nullif(jsonb_strip_nulls(jsonb_build_object('feedback_score', r.score, 'accepted_flag', r.accepted,
				'latency_ms', r.latency_ms, 'status_code', r.status_code, 'diff_ratio', r.diff_ratio,
				'accepted_lines', r.accepted_lines, 'repo_slug', r.repo_slug)), '{}')
		FROM jsonb_to_recordset(p_rows) AS r (source text, id text, developer text, model text, prompt bigint,
			completion bigint, total bigint, cost_micros bigint, accepted boolean, errors integer, at timestamptz,
			ended timestamptz, score double precision, latency_ms double precision, status_code integer,
			diff_ratio double precision, accepted_lines bigint, repo_slug text)
		ON CONFLICT (source, external_id) WHERE external_id IS NOT NULL DO NOTHING
		RETURNING 1
	)
	SELECT count(*) FROM stored
$$;
COMMENT ON COLUMN sessions.meta IS 'What else the source told; of an import feedback_score (1 to 5) and accepted_flag, which count while nobody voted, latency_ms, status_code, diff_ratio, accepted_lines, and repo_slug';

CREATE INDEX sessions_developer ON sessions (developer, started_at) WHERE developer IS NOT NULL;

DROP FUNCTION usage_recent(bigint, boolean, integer);
CREATE FUNCTION usage_recent(p_user bigint, p_hide boolean, p_limit integer)
RETURNS TABLE (id text, developer text, at timestamptz, model text, tokens bigint, cost_micros bigint, accepted boolean,
	tokens_in bigint, tokens_out bigint, latency_ms double precision, status_code bigint, diff_ratio double precision,
	accepted_lines bigint, repo_slug text)
LANGUAGE sql STABLE AS $$
	SELECT coalesce(s.external_id, CASE WHEN p_hide OR s.guest THEN left(s.id::text, 8) ELSE s.id::text END),
		CASE WHEN NOT p_hide THEN coalesce(s.developer, u.username) END, s.started_at, s.model, s.total_tokens, s.cost_micros,
		s.accepted_flag, s.prompt_tokens, s.completion_tokens, (s.meta ->> 'latency_ms')::double precision,
		(s.meta ->> 'status_code')::bigint, (s.meta ->> 'diff_ratio')::double precision,
		(s.meta ->> 'accepted_lines')::bigint, CASE WHEN NOT p_hide THEN s.meta ->> 'repo_slug' END
	FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE p_user IS NULL OR s.user_id = p_user
	ORDER BY s.started_at DESC, s.id LIMIT p_limit
$$;
COMMENT ON FUNCTION usage_recent(bigint, boolean, integer) IS 'Newest sessions for /ws/sessions; ids that are credentials are cut to 8 characters; p_hide: without developers and repositories';

-- A name in an import is not an account: p_developer is given only for those who may see all imported sessions.
CREATE FUNCTION profile_rows(p_user bigint, p_developer text) RETURNS SETOF sessions
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF p_user IS NULL AND p_developer IS NULL THEN
		RETURN QUERY SELECT * FROM sessions s;
		RETURN;
	END IF;
	RETURN QUERY SELECT * FROM sessions s WHERE s.user_id = p_user;
	RETURN QUERY SELECT * FROM sessions s WHERE s.developer = p_developer AND (p_user IS NULL OR s.user_id IS DISTINCT FROM p_user);
END $$;
COMMENT ON FUNCTION profile_rows(bigint, text) IS 'Sessions that a profile adds up: those of an account, and imported ones of a developer; both NULL: all';

CREATE FUNCTION profile_sessions(p_user bigint, p_developer text)
RETURNS TABLE (sessions bigint, tokens bigint, cost_micros bigint, latency_ms double precision, acceptance double precision,
	models text, repos text, dates text)
LANGUAGE sql STABLE AS $$
	WITH r AS MATERIALIZED (
		SELECT t.model, t.total_tokens, t.cost_micros, t.accepted_flag, t.started_at, t.meta FROM profile_rows(p_user, p_developer) t
	)
	SELECT count(*), coalesce(sum(r.total_tokens), 0)::bigint, coalesce(sum(r.cost_micros), 0)::bigint,
		avg((r.meta ->> 'latency_ms')::double precision),
		100.0 * count(*) FILTER (WHERE r.accepted_flag) / nullif(count(r.accepted_flag), 0)::double precision,
		(SELECT coalesce(jsonb_agg(jsonb_build_object('value', m.value, 'count', m.n) ORDER BY m.n DESC, m.value), '[]')::text
			FROM (SELECT x.model AS value, count(*) AS n FROM r x WHERE x.model IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10) m),
		(SELECT coalesce(jsonb_agg(jsonb_build_object('value', m.value, 'count', m.n) ORDER BY m.n DESC, m.value), '[]')::text
			FROM (SELECT x.meta ->> 'repo_slug' AS value, count(*) AS n FROM r x WHERE x.meta ->> 'repo_slug' IS NOT NULL
			GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10) m WHERE p_user IS NOT NULL OR p_developer IS NOT NULL),
		(SELECT coalesce(jsonb_object_agg(d.day, d.n ORDER BY d.day), '{}')::text
			FROM (SELECT to_char(x.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*) AS n FROM r x GROUP BY 1
			ORDER BY 1 DESC LIMIT 366) d)
	FROM r
$$;
COMMENT ON FUNCTION profile_sessions(bigint, text) IS 'Sums of the sessions of profile_rows(); models, repos: JSON [{value, count}], the 10 most used; dates: JSON {day: count}, the newest 366; for all sessions together no repositories';
