-- SPDX-License-Identifier: ISC
-- Exports of accounts: a job makes one JSON document of what an account owns and wrote, in steps, and stores it in parts.

CREATE TABLE account_exports (
	id          uuid PRIMARY KEY,
	user_id     bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	finished_at timestamptz,
	parts       integer NOT NULL DEFAULT 0,
	bytes       bigint NOT NULL DEFAULT 0
);
CREATE INDEX account_exports_user ON account_exports (user_id, created_at);
CREATE INDEX account_exports_created ON account_exports (created_at);
COMMENT ON TABLE account_exports IS 'Exports that users requested. The newest one of a user counts; only that one has parts';
COMMENT ON COLUMN account_exports.id IS 'Number of the export, and of its job (kind account_export)';
COMMENT ON COLUMN account_exports.user_id IS 'The account';
COMMENT ON COLUMN account_exports.created_at IS 'When it was requested';
COMMENT ON COLUMN account_exports.finished_at IS 'When the document was complete; NULL: it is not';
COMMENT ON COLUMN account_exports.parts IS 'Number of parts so far';
COMMENT ON COLUMN account_exports.bytes IS 'Length of the document so far';

CREATE TABLE account_export_parts (
	export_id uuid NOT NULL REFERENCES account_exports ON DELETE CASCADE,
	part      integer NOT NULL CHECK (part >= 0),
	body      text NOT NULL CHECK (octet_length(body) <= 262144),
	PRIMARY KEY (export_id, part)
);
COMMENT ON TABLE account_export_parts IS 'The documents of exports, in parts of at most 256 KiB, so that nobody needs the memory for a whole one';
COMMENT ON COLUMN account_export_parts.export_id IS 'The export';
COMMENT ON COLUMN account_export_parts.part IS 'Place in the document, from 0';
COMMENT ON COLUMN account_export_parts.body IS 'Text of the document; one that ends in the middle of a value goes on in the next part';

CREATE FUNCTION export_time(p_at timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
COMMENT ON FUNCTION export_time(timestamptz) IS 'A time as in replies of the API';

CREATE FUNCTION account_export_head(p_user bigint) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT row_to_json(d)::text FROM (SELECT 'parlour-account-export' AS format, 1 AS version, export_time(clock_timestamp()) AS exported_at,
		(SELECT row_to_json(p) FROM (SELECT u.id, u.username, u.email, u.email_verified_at IS NOT NULL AS email_verified, u.name, u.access,
			NOT u.disabled AS is_active, export_time(u.created_at) AS created_at, export_time(u.updated_at) AS updated_at,
			export_time(u.password_changed_at) AS password_changed_at, u.locale, u.timezone, u.second_factor) p) AS profile,
		coalesce((SELECT f.body FROM preferences f WHERE f.user_id = u.id), '{}') AS preferences,
		coalesce((SELECT json_object_agg(n.kind, n.delivery ORDER BY n.kind) FROM notification_settings n WHERE n.user_id = u.id), '{}')
			AS notification_settings,
		(SELECT n.hour FROM notification_digests n WHERE n.user_id = u.id) AS digest_hour
		FROM users u WHERE u.id = p_user AND u.deleted_at IS NULL) d
$$;
COMMENT ON FUNCTION account_export_head(bigint) IS 'Begin of the document of an account, as an object; NULL: there is no such account';

-- What the account is: a few rows each.
CREATE FUNCTION account_export_account(p_user bigint, p_list text, p_after jsonb) RETURNS refcursor
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v refcursor;
	v_id bigint := coalesce((p_after ->> 0)::bigint, 0);
BEGIN
	CASE p_list
	WHEN 'logins' THEN
		OPEN v FOR SELECT jsonb_build_array(l.id), (SELECT row_to_json(x)::text FROM (SELECT l.id, l.user_agent, l.address,
			export_time(l.created_at) AS created_at, export_time(l.last_used_at) AS last_used_at, export_time(l.expires_at) AS expires_at,
			export_time(l.ended_at) AS ended_at, l.end_reason) x)
			FROM login_sessions l WHERE l.user_id = p_user AND l.kind = 'login' AND l.id > v_id ORDER BY l.id;
	WHEN 'api_keys' THEN
		OPEN v FOR SELECT jsonb_build_array(l.id), (SELECT row_to_json(x)::text FROM (SELECT l.id, l.name, l.key_prefix AS prefix, l.scopes,
			l.key_rate AS rate, export_time(l.created_at) AS created_at, export_time(l.last_used_at) AS last_used_at,
			export_time(nullif(l.expires_at, 'infinity')) AS expires_at, export_time(l.ended_at) AS ended_at, l.end_reason) x)
			FROM login_sessions l WHERE l.user_id = p_user AND l.kind = 'key' AND l.id > v_id ORDER BY l.id;
	WHEN 'identities' THEN
		OPEN v FOR SELECT jsonb_build_array(i.id), (SELECT row_to_json(x)::text FROM (SELECT i.id, i.provider, i.issuer, i.subject, i.email,
			export_time(i.created_at) AS created_at, export_time(i.used_at) AS last_used_at) x)
			FROM user_identities i WHERE i.user_id = p_user AND i.id > v_id ORDER BY i.id;
	WHEN 'provider_keys' THEN
		OPEN v FOR SELECT jsonb_build_array(k.provider), (SELECT row_to_json(x)::text FROM (SELECT k.provider,
			export_time(k.created_at) AS created_at, export_time(k.updated_at) AS updated_at) x)
			FROM provider_keys k WHERE k.user_id = p_user AND k.provider > coalesce(p_after ->> 0, '') ORDER BY k.provider;
	WHEN 'memberships' THEN
		OPEN v FOR SELECT jsonb_build_array(m.room_id), (SELECT row_to_json(x)::text FROM (SELECT m.room_id, r.name AS room, r.visibility,
			r.archived, m.level, r.owner_id IS NOT DISTINCT FROM p_user AS created_by_user, export_time(m.joined_at) AS joined_at) x)
			FROM members m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = p_user AND m.room_id > v_id ORDER BY m.room_id;
	WHEN 'roles' THEN
		OPEN v FOR SELECT jsonb_build_array(r.id), (SELECT row_to_json(x)::text FROM (SELECT r.id, r.name, r.display_name, r.avatar,
			r.description, r.instructions, r.upstream, r.model, r.temperature, r.max_tokens, export_time(r.created_at) AS created_at,
			export_time(r.updated_at) AS updated_at) x)
			FROM roles r WHERE r.owner_id = p_user AND r.deleted_at IS NULL AND r.id > v_id ORDER BY r.id;
	WHEN 'blocks' THEN
		OPEN v FOR SELECT jsonb_build_array(b.blocked_id), (SELECT row_to_json(x)::text FROM (SELECT b.blocked_id AS user_id, u.username,
			export_time(b.created_at) AS created_at) x)
			FROM blocks b JOIN users u ON u.id = b.blocked_id WHERE b.user_id = p_user AND b.blocked_id > v_id ORDER BY b.blocked_id;
	WHEN 'invites' THEN
		OPEN v FOR SELECT jsonb_build_array(i.id), (SELECT row_to_json(x)::text FROM (SELECT i.id, i.room_id, i.level, i.note, i.max_uses,
			i.uses, export_time(i.created_at) AS created_at, export_time(i.expires_at) AS expires_at, export_time(i.revoked_at) AS revoked_at) x)
			FROM invites i WHERE i.creator_id = p_user AND i.id > v_id ORDER BY i.id;
	WHEN 'invites_used' THEN
		OPEN v FOR SELECT jsonb_build_array(i.invite_id), (SELECT row_to_json(x)::text FROM (SELECT i.invite_id, i.registered,
			export_time(i.used_at) AS used_at) x)
			FROM invite_uses i WHERE i.user_id = p_user AND i.invite_id > v_id ORDER BY i.invite_id;
	WHEN 'dashboards' THEN
		OPEN v FOR SELECT jsonb_build_array(d.layout_id), (SELECT row_to_json(x)::text FROM (SELECT d.layout_id, d.name, d.columns, d.cards,
			export_time(d.created_at) AS created_at, export_time(d.updated_at) AS updated_at) x)
			FROM dashboards d WHERE d.user_id = p_user AND d.layout_id > coalesce(p_after ->> 0, '') ORDER BY d.layout_id;
	END CASE;
	RETURN v;
END $$;
COMMENT ON FUNCTION account_export_account(bigint, text, jsonb) IS 'Rows of one list of an export behind a place: the place of each, and its JSON';

-- What the account wrote in rooms, and to people.
CREATE FUNCTION account_export_words(p_user bigint, p_list text, p_after jsonb) RETURNS refcursor
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v refcursor;
	v_id bigint := coalesce((p_after ->> 0)::bigint, 0);
	v_seq bigint := coalesce((p_after ->> 1)::bigint, 0);
	v_version integer := coalesce((p_after ->> 2)::integer, 0);
BEGIN
	CASE p_list
	WHEN 'messages' THEN	-- room by room, so that a step reads no more than its part needs
		OPEN v FOR SELECT jsonb_build_array(m.room_id, m.seq), (SELECT row_to_json(x)::text FROM (SELECT m.room_id, m.seq, m.client_id,
			m.reply_to, m.content, m.meta, export_time(m.created_at) AS created_at, export_time(m.edited_at) AS edited_at,
			export_time(m.deleted_at) AS deleted_at) x)
			FROM rooms r CROSS JOIN LATERAL (SELECT s.* FROM messages s WHERE s.room_id = r.id AND s.author_kind = 'user'
				AND s.author_id = p_user AND (r.id > v_id OR s.seq > v_seq) ORDER BY s.seq OFFSET 0) m
			WHERE r.id >= v_id ORDER BY r.id, m.seq;
	WHEN 'drafts' THEN
		OPEN v FOR SELECT jsonb_build_array(d.room_id), (SELECT row_to_json(x)::text FROM (SELECT d.room_id, d.content,
			export_time(d.updated_at) AS updated_at) x)
			FROM drafts d WHERE d.user_id = p_user AND d.room_id > v_id ORDER BY d.room_id;
	WHEN 'reactions' THEN
		OPEN v FOR SELECT jsonb_build_array(a.id), (SELECT row_to_json(x)::text FROM (SELECT a.room_id, a.seq, a.emoji,
			export_time(a.created_at) AS created_at) x)
			FROM reactions a WHERE a.user_id = p_user AND a.id > v_id ORDER BY a.id;
	WHEN 'message_versions' THEN
		OPEN v FOR SELECT jsonb_build_array(e.room_id, e.seq, e.version), (SELECT row_to_json(x)::text FROM (SELECT e.room_id, e.seq,
			e.version, e.content, export_time(e.written_at) AS written_at) x)
			FROM message_versions e JOIN messages m ON m.room_id = e.room_id AND m.seq = e.seq
			WHERE m.author_kind = 'user' AND m.author_id = p_user AND (e.room_id, e.seq, e.version) > (v_id, v_seq, v_version)
			ORDER BY e.room_id, e.seq, e.version;
	WHEN 'feedback' THEN
		OPEN v FOR SELECT jsonb_build_array(f.id), (SELECT row_to_json(x)::text FROM (SELECT f.id,
			json_build_object('kind', f.target_kind, 'id', f.target_id) AS target, f.score, f.comment, export_time(f.created_at) AS created_at,
			export_time(f.updated_at) AS updated_at) x)
			FROM feedback f WHERE f.user_id = p_user AND f.id > v_id ORDER BY f.id;
	WHEN 'feedback_requests' THEN	-- state is what a program of the asker stored
		OPEN v FOR SELECT jsonb_build_array(q.number), (SELECT row_to_json(x)::text FROM (SELECT q.id, q.asker_id = p_user AS asked_by_user,
			q.answered_by IS NOT DISTINCT FROM p_user AS answered_by_user, (SELECT u.username FROM users u WHERE u.id = q.asker_id) AS asker,
			q.channel, q.destination, q.question, q.context, q.options, CASE WHEN q.asker_id = p_user THEN q.run_id END AS run_id,
			CASE WHEN q.asker_id = p_user THEN q.state END AS state, q.on_timeout, q.status, q.outcome, q.answer, q.comment, q.answered_via,
			export_time(q.created_at) AS created_at, export_time(q.due_at) AS due_at, export_time(q.ended_at) AS ended_at) x)
			FROM feedback_requests q WHERE p_user IN (q.asker_id, q.asked_id, q.answered_by) AND q.number > v_id ORDER BY q.number;
	WHEN 'notifications' THEN
		OPEN v FOR SELECT jsonb_build_array(n.id), (SELECT row_to_json(x)::text FROM (SELECT n.id, n.kind,
			(SELECT u.username FROM users u WHERE u.id = n.actor_id) AS actor, n.room_id, n.seq, n.request_id,
			export_time(n.created_at) AS created_at, export_time(n.read_at) AS read_at) x)
			FROM notifications n WHERE n.user_id = p_user AND n.id > v_id ORDER BY n.id;
	WHEN 'documents' THEN	-- their texts belong to the server
		OPEN v FOR SELECT jsonb_build_array(k.id), (SELECT row_to_json(x)::text FROM (SELECT k.id, k.title, k.source, k.language,
			export_time(k.created_at) AS created_at, export_time(k.updated_at) AS updated_at) x)
			FROM knowledge_documents k WHERE k.author_id = p_user AND k.id > v_id ORDER BY k.id;
	WHEN 'audit' THEN	-- addresses only of what the user did, not of operators
		OPEN v FOR SELECT jsonb_build_array(a.id), (SELECT row_to_json(x)::text FROM (SELECT a.id, export_time(a.created_at) AS created_at,
			a.actor_id = p_user AS by_user, a.action AS act, a.target AS subject, CASE WHEN a.actor_id = p_user THEN a.address END AS address,
			a.request_id, a.before, a.after) x)
			FROM audit a WHERE (a.actor_id = p_user OR a.target = 'user:' || p_user) AND a.id > v_id ORDER BY a.id;
	END CASE;
	RETURN v;
END $$;
COMMENT ON FUNCTION account_export_words(bigint, text, jsonb) IS 'Rows of one list of an export behind a place: the place of each, and its JSON';

-- Chat sessions, usage, and questions: their places are times, and ids where times are equal.
CREATE FUNCTION account_export_sessions(p_user bigint, p_list text, p_after jsonb) RETURNS refcursor
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v refcursor;
	v_at timestamptz := coalesce((p_after ->> 0)::timestamptz, '-infinity');
	v_id uuid := coalesce((p_after ->> 1)::uuid, '00000000-0000-0000-0000-000000000000');
	v_seq bigint := coalesce((p_after ->> 2)::bigint, 0);
BEGIN
	CASE p_list
	WHEN 'sessions' THEN
		OPEN v FOR SELECT jsonb_build_array(s.started_at, s.id), (SELECT row_to_json(x)::text FROM (SELECT s.id, s.kind, s.source, s.external_id,
			s.developer AS developer_id, s.form, s.state, s.is_complete, s.model, s.prompt_tokens, s.completion_tokens, s.total_tokens,
			s.cost_micros / 1e6 AS cost_usd, s.accepted_flag, s.meta, export_time(s.started_at) AS started_at, export_time(s.last_at) AS last_at,
			export_time(s.ended_at) AS ended_at, export_time(s.expires_at) AS expires_at) x)
			FROM sessions s WHERE s.user_id = p_user AND s.started_at >= v_at AND (s.started_at, s.id) > (v_at, v_id)
			ORDER BY s.started_at, s.id;
	WHEN 'session_messages' THEN
		OPEN v FOR SELECT jsonb_build_array(s.started_at, s.id, m.seq), (SELECT row_to_json(x)::text FROM (SELECT m.session_id, m.seq, m.author,
			m.content, m.reply_to, m.state, m.reasoning, m.citations, m.upstream, m.model, m.prompt_tokens, m.completion_tokens,
			m.cost_micros / 1e6 AS cost_usd, export_time(m.created_at) AS created_at) x)
			FROM sessions s JOIN session_messages m ON m.session_id = s.id WHERE s.user_id = p_user AND s.started_at >= v_at
			AND (s.started_at, s.id, m.seq) > (v_at, v_id, v_seq) ORDER BY s.started_at, s.id, m.seq;
	WHEN 'leads' THEN	-- sensitive values are sealed with a key that the database does not have
		OPEN v FOR SELECT jsonb_build_array(s.started_at, s.id), (SELECT row_to_json(x)::text FROM (SELECT s.id AS session_id, s.form,
			s.is_complete, export_time(s.lead_at) AS completed_at,
			json_object_agg(t.name, t.value ORDER BY t.name) AS collected_data,
			coalesce(json_object_agg(t.name, t.raw ORDER BY t.name) FILTER (WHERE t.raw IS NOT NULL AND t.sealed IS NULL), '{}') AS written,
			coalesce(json_agg(t.name ORDER BY t.name) FILTER (WHERE t.sealed IS NOT NULL), '[]') AS sensitive
			FROM session_slots t WHERE t.session_id = s.id) x)
			FROM sessions s WHERE s.user_id = p_user AND s.started_at >= v_at AND (s.started_at, s.id) > (v_at, v_id)
			AND EXISTS (SELECT FROM session_slots t WHERE t.session_id = s.id) ORDER BY s.started_at, s.id;
	WHEN 'usage' THEN
		OPEN v FOR SELECT jsonb_build_array(u.at, u.generation_id), (SELECT row_to_json(x)::text FROM (SELECT u.generation_id, u.room_id,
			u.role_id, u.upstream, u.model, u.state, u.prompt_tokens, u.completion_tokens, u.cost_micros / 1e6 AS cost_usd, u.vote,
			export_time(u.at) AS at) x)
			FROM usage u WHERE u.user_id = p_user AND u.at >= v_at AND (u.at, u.generation_id) > (v_at, v_id) ORDER BY u.at, u.generation_id;
	WHEN 'queries' THEN
		OPEN v FOR SELECT jsonb_build_array(q.created_at, q.id), (SELECT row_to_json(x)::text FROM (SELECT q.id, q.query, q.intent, q.understood,
			q.rows, export_time(q.created_at) AS created_at) x)
			FROM query_history q WHERE q.user_id = p_user AND q.created_at >= v_at AND (q.created_at, q.id) > (v_at, v_id)
			ORDER BY q.created_at, q.id;
	END CASE;
	RETURN v;
END $$;
COMMENT ON FUNCTION account_export_sessions(bigint, text, jsonb) IS 'Rows of one list of an export behind a place: the place of each, and its JSON';

-- The rest of one list, or as much of it as fits. p_at: list, number of rows that were written, and the place of the last.
CREATE FUNCTION account_export_list(p_user bigint, p_bytes integer, INOUT p_at jsonb, OUT body text) RETURNS record
LANGUAGE plpgsql AS $$
DECLARE
	v refcursor;
	v_list text := p_at ->> 'list';
	v_place jsonb;
	v_item text;
	v_items text[] := '{}';
	v_bytes bigint := 0;
	v_until timestamptz := clock_timestamp() + interval '1 second';
BEGIN
	v := CASE WHEN v_list IN ('sessions', 'session_messages', 'leads', 'usage', 'queries')
		THEN account_export_sessions(p_user, v_list, p_at -> 'after')
		WHEN v_list IN ('messages', 'message_versions', 'drafts', 'reactions', 'feedback', 'feedback_requests', 'notifications', 'documents', 'audit')
		THEN account_export_words(p_user, v_list, p_at -> 'after') ELSE account_export_account(p_user, v_list, p_at -> 'after') END;
	LOOP
		FETCH v INTO v_place, v_item;
		EXIT WHEN NOT FOUND;
		v_items := v_items || v_item;
		v_bytes := v_bytes + octet_length(v_item) + 1;
		p_at := p_at || jsonb_build_object('after', v_place);
		IF v_bytes >= p_bytes OR clock_timestamp() > v_until THEN
			p_at := p_at || '{"more": true}';
			EXIT;
		END IF;
	END LOOP;
	CLOSE v;
	body := CASE WHEN (p_at ->> 'begun')::boolean AND v_bytes > 0 THEN ',' ELSE '' END || array_to_string(v_items, ',');
	p_at := p_at || jsonb_build_object('begun', (p_at ->> 'begun')::boolean OR v_bytes > 0);
END $$;
COMMENT ON FUNCTION account_export_list(bigint, integer, jsonb) IS 'Next rows of one list of an export';

-- The document from p_at on (NULL: from its begin), about 256 KiB of it. The new p_at is NULL behind its end.
CREATE FUNCTION account_export_next(p_user bigint, INOUT p_at jsonb, OUT body text) RETURNS record
LANGUAGE plpgsql AS $$
DECLARE
	c_lists CONSTANT text[] := ARRAY['logins', 'api_keys', 'identities', 'provider_keys', 'memberships', 'roles', 'messages',
		'message_versions', 'drafts', 'reactions', 'sessions', 'session_messages', 'leads', 'feedback', 'feedback_requests', 'notifications', 'usage', 'queries',
		'dashboards', 'blocks', 'invites', 'invites_used', 'documents', 'audit'];
	v_more text;
	v_list text;
	v_until timestamptz := clock_timestamp() + interval '1 second';
BEGIN
	IF p_at IS NULL THEN
		body := left(account_export_head(p_user), -1) || ',"' || c_lists[1] || '":[';
		p_at := jsonb_build_object('list', c_lists[1], 'begun', false);
	ELSE
		body := '';
	END IF;
	WHILE octet_length(body) < 262144 AND clock_timestamp() < v_until AND p_at IS NOT NULL LOOP
		SELECT n.p_at, n.body INTO p_at, v_more FROM account_export_list(p_user, 262144 - octet_length(body), p_at) n;
		body := body || v_more;
		IF p_at ? 'more' THEN
			p_at := p_at - 'more';
			CONTINUE;
		END IF;
		v_list := c_lists[array_position(c_lists, p_at ->> 'list') + 1];
		body := body || ']' || coalesce(',"' || v_list || '":[', E'}\n');
		p_at := CASE WHEN v_list IS NOT NULL THEN jsonb_build_object('list', v_list, 'begun', false) END;
	END LOOP;
END $$;
COMMENT ON FUNCTION account_export_next(bigint, jsonb) IS 'The next piece of the export of an account, and where it goes on (NULL: it is complete). body NULL: there is no such account';

-- ---- requests, and their job ----

CREATE FUNCTION account_export_state(p_export account_exports) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN p_export.finished_at IS NOT NULL THEN 'done'
		ELSE coalesce((SELECT CASE j.state WHEN 'waiting' THEN 'queued' WHEN 'running' THEN 'running' END FROM jobs j WHERE j.id = p_export.id),
			'failed') END
$$;
COMMENT ON FUNCTION account_export_state(account_exports) IS 'queued, running, done, failed (the job was given up or dropped)';

CREATE FUNCTION account_export_newest(p_user bigint)
RETURNS TABLE (id uuid, state text, created_at timestamptz, finished_at timestamptz, parts integer, bytes bigint)
LANGUAGE sql STABLE AS $$
	SELECT e.id, account_export_state(e), e.created_at, e.finished_at, e.parts, e.bytes FROM account_exports e
	WHERE e.user_id = p_user ORDER BY e.created_at DESC, e.id LIMIT 1
$$;
COMMENT ON FUNCTION account_export_newest(bigint) IS 'The newest export of an account';

CREATE FUNCTION account_export_ask(p_user bigint, p_per_day integer)
RETURNS TABLE (status text, wait_us bigint, id uuid, state text, created_at timestamptz, finished_at timestamptz, parts integer, bytes bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_id uuid := gen_random_uuid();
	v_state text;
	v_oldest timestamptz;
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_user AND NOT u.disabled FOR NO KEY UPDATE;	-- one request at a time
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'not_found', 0::bigint, NULL::uuid, NULL, NULL::timestamptz, NULL::timestamptz, 0, 0::bigint;
		RETURN;
	END IF;
	SELECT n.state INTO v_state FROM account_export_newest(p_user) n;
	IF v_state IS NULL OR v_state NOT IN ('queued', 'running') THEN
		-- of the last p_per_day requests, the first one
		SELECT min(d.created_at) INTO v_oldest FROM (SELECT e.created_at FROM account_exports e WHERE e.user_id = p_user
			AND e.created_at > clock_timestamp() - interval '1 day' ORDER BY e.created_at DESC LIMIT p_per_day) d
			HAVING count(*) = p_per_day;
		IF v_oldest IS NOT NULL OR p_per_day = 0 THEN
			RETURN QUERY SELECT 'limit', (extract(epoch FROM v_oldest + interval '1 day' - clock_timestamp()) * 1000000)::bigint, NULL::uuid, NULL,
				NULL::timestamptz, NULL::timestamptz, 0, 0::bigint;
			RETURN;
		END IF;
		DELETE FROM account_export_parts t USING account_exports e WHERE e.user_id = p_user AND t.export_id = e.id;
		INSERT INTO account_exports (id, user_id) VALUES (v_id, p_user);
		PERFORM job_add('account_export', 'export ' || v_id, 'exports', jsonb_build_object('user', p_user), p_id => v_id);
		PERFORM audit_add('export requested', 'user:' || p_user, NULL, NULL, p_user);
	END IF;
	RETURN QUERY SELECT 'ok', 0::bigint, n.* FROM account_export_newest(p_user) n;
END $$;
COMMENT ON FUNCTION account_export_ask(bigint, integer) IS 'Queues an export, which replaces the document of an earlier one, and gives it; if one is unfinished, only gives that. limit: p_per_day were requested within a day, and the next one may be in wait_us; not_found';

CREATE FUNCTION account_export_store(p_export uuid, p_body text, p_end boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	c_characters CONSTANT integer := 65536;	-- a character has at most 4 bytes
	v account_exports;
	v_count integer := (char_length(p_body) + c_characters - 1) / c_characters;
BEGIN
	-- waits for the deletion of the account, and then finds nothing
	SELECT * INTO v FROM account_exports e WHERE e.id = p_export FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	INSERT INTO account_export_parts (export_id, part, body)
		SELECT p_export, v.parts + i, substr(p_body, i * c_characters + 1, c_characters) FROM generate_series(0, v_count - 1) i;
	UPDATE account_exports e SET parts = v.parts + v_count, bytes = v.bytes + octet_length(p_body),
		finished_at = CASE WHEN p_end THEN clock_timestamp() END WHERE e.id = p_export;
	RETURN true;
END $$;
COMMENT ON FUNCTION account_export_store(uuid, text, boolean) IS 'Appends to the document of an export; p_end: it is complete then. false: the export is gone';

-- The next part of the job, in a transaction of its own. Its place is in the payload: the job goes on there after a crash.
CREATE FUNCTION account_export_step(p_job uuid) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_job jobs;
	v_at jsonb;
	v_body text;
BEGIN
	SELECT * INTO v_job FROM jobs j WHERE j.id = p_job AND j.kind = 'account_export' AND j.state IN ('waiting', 'running') FOR UPDATE;
	IF NOT FOUND OR NOT EXISTS (SELECT FROM account_exports e WHERE e.id = p_job AND e.finished_at IS NULL) THEN
		RETURN 'done';
	END IF;
	SELECT n.p_at, n.body INTO v_at, v_body FROM account_export_next((v_job.payload ->> 'user')::bigint, v_job.payload -> 'at') n;
	IF v_body IS NULL OR NOT account_export_store(p_job, v_body, v_at IS NULL) THEN
		RETURN 'done';
	END IF;
	UPDATE jobs j SET payload = v_job.payload - 'at' || jsonb_strip_nulls(jsonb_build_object('at', v_at)) WHERE j.id = p_job;
	RETURN CASE WHEN v_at IS NULL THEN 'done' ELSE 'more' END;
END $$;
COMMENT ON FUNCTION account_export_step(uuid) IS 'The next part of the export of an account: more, done';

CREATE FUNCTION account_export_opened(p_user bigint, p_export uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM audit_add('export downloaded', 'user:' || p_user, NULL, jsonb_build_object('export', p_export), p_user);
	RETURN true;
END $$;
COMMENT ON FUNCTION account_export_opened(bigint, uuid) IS 'Records that a user downloads an export';

-- Also for an account that psql makes a tombstone. A step of the job that runs now finds no export when it stores its part.
CREATE FUNCTION account_exports_drop() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	DELETE FROM account_exports e WHERE e.user_id = NEW.id;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION account_exports_drop() IS 'Removes the exports of an account in the transaction that deletes the account';
CREATE TRIGGER exports_drop AFTER UPDATE OF deleted_at ON users FOR EACH ROW
	WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION account_exports_drop();

-- A document may have hundreds of parts, so few at a time.
CREATE FUNCTION account_exports_purge(p_keep_ms bigint, p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH gone AS (
		DELETE FROM account_exports t WHERE t.id = ANY (ARRAY(SELECT e.id FROM account_exports e
			WHERE coalesce(e.finished_at, e.created_at) < clock_timestamp() - p_keep_ms * interval '1 ms'
			AND account_export_state(e) IN ('done', 'failed') ORDER BY e.created_at LIMIT least(p_limit, 10))) RETURNING 1
	)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION account_exports_purge(bigint, integer) IS 'Deletes exports whose time is over; gives how many';
