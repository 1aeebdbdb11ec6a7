-- SPDX-License-Identifier: ISC
-- Usage: what answers in rooms cost, imported usage sessions and daily series, and the figures computed from them.

CREATE TABLE usage (
	generation_id uuid PRIMARY KEY,
	room_id       bigint NOT NULL,
	role_id       bigint NOT NULL,
	user_id       bigint REFERENCES users ON DELETE SET NULL,
	model         text,
	upstream      text,
	prompt_tokens bigint NOT NULL DEFAULT 0 CHECK (prompt_tokens >= 0),
	completion_tokens bigint NOT NULL DEFAULT 0 CHECK (completion_tokens >= 0),
	cost_micros   bigint CHECK (cost_micros >= 0),
	state         text NOT NULL CHECK (state IN ('done', 'failed', 'cancelled', 'interrupted')),
	at            timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX usage_at ON usage (at);
CREATE INDEX usage_user ON usage (user_id, at) WHERE user_id IS NOT NULL;
COMMENT ON TABLE usage IS 'One row per answer of a model in a room, written when it ends; outlives room and generation';
COMMENT ON COLUMN usage.generation_id IS 'generations.id';
COMMENT ON COLUMN usage.room_id IS 'Room it answered in; the room may be gone';
COMMENT ON COLUMN usage.role_id IS 'Role that answered';
COMMENT ON COLUMN usage.user_id IS 'Who asked; NULL: the account is gone';
COMMENT ON COLUMN usage.model IS 'Model';
COMMENT ON COLUMN usage.upstream IS 'Upstream that answered';
COMMENT ON COLUMN usage.prompt_tokens IS 'Tokens read; 0 when the upstream did not say';
COMMENT ON COLUMN usage.completion_tokens IS 'Tokens written; 0 when the upstream did not say';
COMMENT ON COLUMN usage.cost_micros IS 'Cost in millionths of a US dollar by model_prices; 0 for local; NULL: no price is known';
COMMENT ON COLUMN usage.state IS 'How the answer ended';
COMMENT ON COLUMN usage.at IS 'When it ended';

CREATE TABLE model_prices (
	upstream      text NOT NULL,
	model         text NOT NULL,
	prompt_usd    numeric NOT NULL CHECK (prompt_usd >= 0),
	completion_usd numeric NOT NULL CHECK (completion_usd >= 0),
	PRIMARY KEY (upstream, model)
);
COMMENT ON TABLE model_prices IS 'Prices of models, kept by the operator; answers that end later are charged by them';
COMMENT ON COLUMN model_prices.upstream IS 'NAME of an [llm NAME] section';
COMMENT ON COLUMN model_prices.model IS 'Model of that upstream';
COMMENT ON COLUMN model_prices.prompt_usd IS 'US dollars per million tokens read';
COMMENT ON COLUMN model_prices.completion_usd IS 'US dollars per million tokens written';

CREATE TABLE usage_series (
	day           date NOT NULL,
	developer     text NOT NULL CHECK (length(developer) BETWEEN 1 AND 128),
	name          text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,63}$'),
	value         double precision NOT NULL,
	PRIMARY KEY (day, developer, name)
);
COMMENT ON TABLE usage_series IS 'Daily figures from elsewhere (commits, pull requests), imported to be set against usage';
COMMENT ON COLUMN usage_series.day IS 'Day, UTC';
COMMENT ON COLUMN usage_series.developer IS 'Who, as the source names them';
COMMENT ON COLUMN usage_series.name IS 'Name of the series: commits, pull_requests ...';
COMMENT ON COLUMN usage_series.value IS 'Figure of that day';

-- Import: one JSON array per call, checked by the caller

CREATE FUNCTION usage_series_import(p_rows jsonb) RETURNS bigint
LANGUAGE sql AS $$
	WITH stored AS (
		INSERT INTO usage_series AS t (day, developer, name, value)
		SELECT DISTINCT ON (1, 2, 3) (e.v ->> 'day')::date, e.v ->> 'developer', e.v ->> 'name',
			(e.v ->> 'value')::double precision
		FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS e (v, n) ORDER BY 1, 2, 3, e.n DESC
		ON CONFLICT (day, developer, name) DO UPDATE SET value = excluded.value WHERE t.value <> excluded.value
		RETURNING 1
	)
	SELECT count(*) FROM stored
$$;
COMMENT ON FUNCTION usage_series_import(jsonb) IS 'Stores daily figures; a figure that is there already is replaced; gives how many are new or changed';

-- Figures

CREATE VIEW usage_rows AS
	SELECT s.started_at AS at, coalesce(s.developer, u.username) AS developer, s.user_id, s.model, s.total_tokens AS tokens,
		s.cost_micros, s.accepted_flag AS accepted, s.errors > 0 AS failed,
		CASE WHEN s.last_at > s.started_at THEN extract(epoch FROM s.last_at - s.started_at)::double precision / 60 END AS minutes,
		(s.meta ->> 'feedback_score')::double precision AS score
	FROM sessions s LEFT JOIN users u ON u.id = s.user_id
	UNION ALL
	SELECT g.at, u.username, g.user_id, g.model, g.prompt_tokens + g.completion_tokens, coalesce(g.cost_micros, 0),
		NULL, g.state IN ('failed', 'interrupted'), NULL, NULL
	FROM usage g LEFT JOIN users u ON u.id = g.user_id;
COMMENT ON VIEW usage_rows IS 'Everything that counts as one use of a model: sessions of any kind, and answers in rooms';

CREATE FUNCTION usage_in(p_from timestamptz, p_to timestamptz, p_developer text, p_model text, p_user bigint)
RETURNS SETOF usage_rows
LANGUAGE sql STABLE AS $$
	SELECT * FROM usage_rows r WHERE r.at >= p_from AND r.at < p_to AND (p_developer IS NULL OR r.developer = p_developer)
		AND (p_model IS NULL OR r.model = p_model) AND (p_user IS NULL OR r.user_id = p_user)
$$;
COMMENT ON FUNCTION usage_in(timestamptz, timestamptz, text, text, bigint) IS 'Rows of usage_rows in a window; NULL: no filter; p_user: those that belong to this account';

CREATE FUNCTION usage_metrics(p_from timestamptz, p_to timestamptz, p_developer text, p_model text, p_user bigint)
RETURNS TABLE (n bigint, judged bigint, timed bigint, scored bigint, velocity double precision, acceptance double precision,
	errors double precision, efficiency double precision, cost_session double precision, cost_accepted double precision,
	users double precision, minutes double precision, score double precision)
LANGUAGE sql STABLE AS $$
	SELECT k.n, k.judged, k.timed, k.scored, k.n / nullif(k.hours, 0)::double precision,
		100.0 * k.accepted / nullif(k.judged, 0)::double precision, 100.0 * k.failed / nullif(k.n, 0)::double precision,
		1000.0 * k.accepted / nullif(k.judged_tokens, 0)::double precision,
		k.cost / 1e6 / nullif(k.n, 0)::double precision, k.judged_cost / 1e6 / nullif(k.accepted, 0)::double precision,
		k.users::double precision, k.minutes, k.score
	FROM (SELECT count(*) AS n, count(r.accepted) AS judged, count(*) FILTER (WHERE r.accepted) AS accepted,
			count(*) FILTER (WHERE r.failed) AS failed, count(r.minutes) AS timed, count(r.score) AS scored,
			count(DISTINCT floor(extract(epoch FROM r.at) / 3600)) AS hours,
			sum(r.tokens) FILTER (WHERE r.accepted IS NOT NULL) AS judged_tokens, sum(r.cost_micros) AS cost,
			sum(r.cost_micros) FILTER (WHERE r.accepted IS NOT NULL) AS judged_cost,
			count(DISTINCT coalesce(r.developer, r.user_id::text)) AS users,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY r.minutes) AS minutes, avg(r.score) AS score
		FROM usage_in(p_from, p_to, p_developer, p_model, p_user) r) k
$$;
COMMENT ON FUNCTION usage_metrics(timestamptz, timestamptz, text, text, bigint) IS 'The nine figures of GET /api/metrics with their sample sizes; NULL where there is nothing to compute from';

CREATE FUNCTION usage_points(p_from timestamptz, p_to timestamptz, p_developer text, p_model text, p_user bigint,
	p_hide boolean, p_bucket text)
RETURNS TABLE (at timestamptz, metric text, value double precision, developer text, model text)
LANGUAGE sql STABLE AS $$
	SELECT b.at, v.metric, v.value, b.developer, b.model
	FROM (SELECT date_trunc(p_bucket, r.at, 'UTC') AS at, CASE WHEN NOT p_hide THEN r.developer END AS developer, r.model,
			count(*)::double precision AS sessions, sum(r.tokens)::double precision AS tokens,
			(sum(r.cost_micros) / 1e6)::double precision AS cost,
			count(*) FILTER (WHERE r.accepted)::double precision AS accepted,
			count(*) FILTER (WHERE r.failed)::double precision AS errors
		FROM usage_in(p_from, p_to, p_developer, p_model, p_user) r GROUP BY 1, 2, 3) b,
		LATERAL (VALUES (1, 'sessions', b.sessions), (2, 'tokens', b.tokens), (3, 'cost_usd', b.cost),
			(4, 'accepted', b.accepted), (5, 'errors', b.errors)) AS v (place, metric, value)
	ORDER BY b.at, b.developer, b.model, v.place
$$;
COMMENT ON FUNCTION usage_points(timestamptz, timestamptz, text, text, bigint, boolean, text) IS 'Figures per hour, day or week (UTC), developer and model; p_hide: developers are added up';

CREATE FUNCTION usage_days(p_from timestamptz, p_to timestamptz, p_developer text, p_model text, p_user bigint,
	p_series boolean)
RETURNS TABLE (day bigint, name text, value double precision, imported boolean)
LANGUAGE sql STABLE AS $$
	SELECT b.day, v.name, v.value, false
	FROM (SELECT floor(extract(epoch FROM r.at) / 86400)::bigint AS day, count(*)::double precision AS sessions,
			100.0 * count(*) FILTER (WHERE r.accepted) / nullif(count(r.accepted), 0)::double precision AS acceptance,
			100.0 * count(*) FILTER (WHERE r.failed) / count(*)::double precision AS errors,
			sum(r.tokens)::double precision AS tokens, (sum(r.cost_micros) / 1e6)::double precision AS cost
		FROM usage_in(p_from, p_to, p_developer, p_model, p_user) r GROUP BY 1) b,
		LATERAL (VALUES ('ai_sessions', b.sessions), ('acceptance_rate', b.acceptance), ('error_rate', b.errors),
			('tokens', b.tokens), ('cost_usd', b.cost)) AS v (name, value)
	WHERE v.value IS NOT NULL
	UNION ALL
	SELECT s.day - date '1970-01-01', s.name, sum(s.value), true FROM usage_series s
	WHERE p_series AND s.day >= (p_from AT TIME ZONE 'UTC')::date AND s.day < p_to AT TIME ZONE 'UTC'
		AND (p_developer IS NULL OR s.developer = p_developer)
	GROUP BY s.day, s.name
$$;
COMMENT ON FUNCTION usage_days(timestamptz, timestamptz, text, text, bigint, boolean) IS 'Daily figures for GET /api/insights, days since 1970; imported: from usage_series';

CREATE FUNCTION usage_recent(p_user bigint, p_hide boolean, p_limit integer)
RETURNS TABLE (id text, developer text, at timestamptz, model text, tokens bigint, cost_micros bigint, accepted boolean)
LANGUAGE sql STABLE AS $$
	SELECT coalesce(s.external_id, CASE WHEN p_hide OR s.guest THEN left(s.id::text, 8) ELSE s.id::text END),
		CASE WHEN NOT p_hide THEN coalesce(s.developer, u.username) END, s.started_at, s.model, s.total_tokens, s.cost_micros,
		s.accepted_flag
	FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE p_user IS NULL OR s.user_id = p_user
	ORDER BY s.started_at DESC, s.id LIMIT p_limit
$$;
COMMENT ON FUNCTION usage_recent(bigint, boolean, integer) IS 'Newest sessions for /ws/sessions; ids that are credentials are cut to 8 characters';
