-- SPDX-License-Identifier: ISC
-- What a crash must not change: how an answer ended, and that an Idempotency-Key does its work once.

-- The message says how its answer ended, and what it cost; without a message it was interrupted before the first text.
CREATE FUNCTION generation_interrupt(p_host text, p_boot bigint, p_slot integer, p_slot_generation bigint)
RETURNS SETOF generations
LANGUAGE sql AS $$
	WITH ended AS (
		UPDATE generations g SET
			answer_seq = m.seq,
			state = CASE WHEN m.seq IS NULL THEN 'interrupted'
				WHEN m.meta -> 'usage' ->> 'stop' IN ('failed', 'cancelled', 'interrupted') THEN m.meta -> 'usage' ->> 'stop'
				ELSE 'done' END,
			prompt_tokens = coalesce((m.meta -> 'usage' ->> 'prompt_tokens')::bigint, g.prompt_tokens),
			completion_tokens = coalesce((m.meta -> 'usage' ->> 'completion_tokens')::bigint, g.completion_tokens),
			ended_at = clock_timestamp()
		FROM generations o LEFT JOIN messages m ON m.generation_id = o.id AND m.room_id = o.room_id
		WHERE o.id = g.id AND g.host = p_host AND g.state IN ('queued', 'running')
			AND (g.boot <> p_boot OR (g.slot = p_slot AND g.slot_generation <> p_slot_generation))
		RETURNING g.*
	), noted AS (
		INSERT INTO usage (generation_id, room_id, role_id, user_id, model, upstream, prompt_tokens, completion_tokens,
			cost_micros, state, at)
		SELECT e.id, e.room_id, e.role_id, (SELECT u.id FROM users u WHERE u.id = e.asker_id), e.model, e.upstream,
			greatest(coalesce(e.prompt_tokens, 0), 0), greatest(coalesce(e.completion_tokens, 0), 0),
			usage_cost(e.upstream, e.model, e.prompt_tokens, e.completion_tokens, NULL, e.ended_at), e.state, e.ended_at
		FROM ended e ON CONFLICT DO NOTHING
	)
	SELECT * FROM ended
$$;
COMMENT ON FUNCTION generation_interrupt(text, bigint, integer, bigint) IS 'Ends what dead processes of this host left running: interrupted, or as the answer in the log says';

-- Idempotency keys. The transaction that does a key's work notes in the key's row what it made (trigger `once` below), so
-- both are there or neither. A claim that nobody finishes can be taken over: what was made is looked up, and if nothing
-- was, the old claim's transaction can no longer commit, because its trigger finds another claim in the row.

ALTER TABLE idempotency_keys ADD COLUMN claim bigint NOT NULL DEFAULT 1,
	ADD COLUMN claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	ADD COLUMN made text, ADD COLUMN made_new boolean;
COMMENT ON COLUMN idempotency_keys.claim IS 'Counts the attempts at the work; only the newest may do it';
COMMENT ON COLUMN idempotency_keys.claimed_at IS 'When the newest attempt began; -infinity: it was given up';
COMMENT ON COLUMN idempotency_keys.made IS 'Id of what the work made, written with it; NULL: nothing yet';
COMMENT ON COLUMN idempotency_keys.made_new IS 'It was not there before';
COMMENT ON COLUMN idempotency_keys.body_sha256 IS 'Hash of the parameters and the body: the same key with another body is refused';
COMMENT ON COLUMN idempotency_keys.status IS 'HTTP status of the reply; NULL: none is kept yet';

CREATE FUNCTION idem_begin(p_user bigint, p_route text, p_key text, p_sha bytea)
RETURNS TABLE (status text, http_status integer, body text, location text, claim bigint, born_us bigint, made text,
	made_new boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	v idempotency_keys;
	v_status text;
BEGIN
	INSERT INTO idempotency_keys (user_id, route, key, body_sha256) VALUES (p_user, p_route, p_key, p_sha)
		ON CONFLICT (user_id, route, key) DO NOTHING;
	v_status := CASE WHEN FOUND THEN 'fresh' END;
	SELECT * INTO v FROM idempotency_keys k WHERE k.user_id = p_user AND k.route = p_route AND k.key = p_key FOR UPDATE;
	IF v_status IS NULL THEN
		v_status := CASE
			WHEN v.claim IS NULL THEN 'in_progress'	-- deleted this moment
			WHEN v.created_at < clock_timestamp() - interval '24 hours' THEN 'fresh'
			WHEN v.body_sha256 <> p_sha THEN 'conflict'
			WHEN v.status IS NOT NULL THEN 'replay'
			WHEN v.made IS NOT NULL THEN 'made'
			WHEN v.claimed_at < clock_timestamp() - interval '60 seconds' THEN 'again'
			ELSE 'in_progress' END;
	END IF;
	IF v_status = 'fresh' AND v.created_at < clock_timestamp() - interval '24 hours' THEN
		UPDATE idempotency_keys k SET created_at = clock_timestamp(), claimed_at = clock_timestamp(), claim = k.claim + 1,
			body_sha256 = p_sha, status = NULL, body = NULL, location = NULL, made = NULL, made_new = NULL
		WHERE k.user_id = p_user AND k.route = p_route AND k.key = p_key RETURNING * INTO v;
	ELSIF v_status = 'again' THEN
		v_status := 'fresh';
		UPDATE idempotency_keys k SET claimed_at = clock_timestamp(), claim = k.claim + 1
		WHERE k.user_id = p_user AND k.route = p_route AND k.key = p_key RETURNING * INTO v;
	END IF;
	RETURN QUERY SELECT v_status, v.status, v.body, v.location, v.claim, (extract(epoch FROM v.created_at) * 1000000)::bigint,
		v.made, v.made_new;
END $$;
COMMENT ON FUNCTION idem_begin(bigint, text, text, bytea) IS 'Claims an Idempotency-Key: fresh, replay (the reply), made (the work is done, its reply was lost), conflict (another body), in_progress';

CREATE FUNCTION idem_work(p_user bigint, p_route text, p_key text, p_claim bigint) RETURNS void
LANGUAGE sql AS $$
	SELECT set_config('parlour.once_user', p_user::text, true), set_config('parlour.once_route', p_route, true),
		set_config('parlour.once_key', p_key, true), set_config('parlour.once_claim', p_claim::text, true)
$$;
COMMENT ON FUNCTION idem_work(bigint, text, text, bigint) IS 'Says for whose Idempotency-Key the rest of this transaction works';

CREATE FUNCTION idem_made() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE idempotency_keys k SET made = to_jsonb(NEW) ->> TG_ARGV[0], made_new = TG_OP = 'INSERT'
	WHERE k.user_id = current_setting('parlour.once_user')::bigint AND k.route = current_setting('parlour.once_route')
		AND k.key = current_setting('parlour.once_key') AND k.claim = current_setting('parlour.once_claim')::bigint;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this Idempotency-Key was taken over' USING ERRCODE = 'PL001';
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION idem_made() IS 'Notes in the row of an Idempotency-Key what was made under it; fails when somebody else has it';

CREATE TRIGGER once AFTER INSERT ON users FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/auth/register') EXECUTE FUNCTION idem_made('id');
CREATE TRIGGER once AFTER INSERT ON roles FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/roles') EXECUTE FUNCTION idem_made('id');
CREATE TRIGGER once AFTER INSERT ON rooms FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/rooms') EXECUTE FUNCTION idem_made('id');
CREATE TRIGGER once AFTER INSERT OR UPDATE ON members FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/rooms/{room_id}/members')
	EXECUTE FUNCTION idem_made('user_id');
CREATE TRIGGER once AFTER INSERT ON sessions FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/sessions') EXECUTE FUNCTION idem_made('id');
CREATE TRIGGER once AFTER INSERT OR UPDATE ON feedback FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/feedback') EXECUTE FUNCTION idem_made('id');
CREATE TRIGGER once AFTER INSERT ON feedback_requests FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/feedback-requests') EXECUTE FUNCTION idem_made('id');
CREATE TRIGGER once AFTER INSERT ON knowledge_documents FOR EACH ROW
	WHEN (current_setting('parlour.once_route', true) = 'POST /api/knowledge') EXECUTE FUNCTION idem_made('id');

-- Pages of lists

CREATE FUNCTION list_place(p_list text, p_user bigint, p_id bigint, p_asked boolean, p_status text, p_offset bigint)
RETURNS TABLE (total bigint, last bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_ids text := CASE p_list
		WHEN 'roles' THEN 'SELECT r.id FROM roles r WHERE r.deleted_at IS NULL'
		WHEN 'rooms' THEN 'SELECT r.id FROM rooms r LEFT JOIN members m ON m.room_id = r.id AND m.user_id = $1 '
			|| 'WHERE m.user_id IS NOT NULL OR (r.visibility = ''public'' AND NOT r.archived)'
		WHEN 'members' THEN 'SELECT m.user_id AS id FROM members m WHERE m.room_id = $2'
		WHEN 'feedback' THEN 'SELECT f.id FROM feedback f WHERE f.user_id = $1'
		WHEN 'requests' THEN 'SELECT -r.number AS id FROM feedback_requests r WHERE '
			|| CASE WHEN p_asked THEN 'r.asked_id' ELSE 'r.asker_id' END || ' = $1 AND ($3 IS NULL OR r.status = $3)'
		WHEN 'knowledge' THEN 'SELECT d.id FROM knowledge_documents d'
		WHEN 'logins' THEN 'SELECT -l.id AS id FROM login_sessions l WHERE l.user_id = $1 AND l.ended_at IS NULL '
			|| 'AND l.expires_at > now()' END;
BEGIN
	RETURN QUERY EXECUTE 'WITH l AS (' || v_ids || ') SELECT (SELECT count(*) FROM l), CASE WHEN $4 = 0 THEN 0 ELSE '
		|| '(SELECT l.id FROM l ORDER BY l.id OFFSET greatest($4 - 1, 0) LIMIT 1) END'
		USING p_user, p_id, p_status, p_offset;
END $$;
COMMENT ON FUNCTION list_place(text, bigint, bigint, boolean, text, bigint) IS 'How long a list is, and the id before its row p_offset + 1 (0: the first; NULL: behind the end)';
