-- SPDX-License-Identifier: ISC
-- Coming over from another system: accounts, roles, rooms and messages, one JSON object each, through `parlourctl import`.

CREATE TABLE import_ids (
	source        text NOT NULL CHECK (length(source) BETWEEN 1 AND 64),
	kind          text NOT NULL CHECK (kind IN ('user', 'role', 'room', 'message')),
	old_id        text NOT NULL CHECK (length(old_id) BETWEEN 1 AND 56),
	new_id        bigint NOT NULL,
	room_id       bigint REFERENCES rooms ON DELETE CASCADE,
	at            timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (source, kind, old_id)
);
CREATE INDEX import_ids_room ON import_ids (room_id) WHERE room_id IS NOT NULL;
COMMENT ON TABLE import_ids IS 'What was imported, by its id in the old system: importing it again stores nothing twice';
COMMENT ON COLUMN import_ids.source IS 'Name of the old system: --source of parlourctl import';
COMMENT ON COLUMN import_ids.kind IS 'user, role, room or message';
COMMENT ON COLUMN import_ids.old_id IS 'Id there, as text';
COMMENT ON COLUMN import_ids.new_id IS 'users.id, roles.id, rooms.id; of a message its seq';
COMMENT ON COLUMN import_ids.room_id IS 'Of a message: its room; NULL otherwise';
COMMENT ON COLUMN import_ids.at IS 'When it was imported';

CREATE FUNCTION import_find(p_source text, p_kind text, p_old text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_new bigint;
BEGIN
	IF p_old IS NOT NULL THEN
		SELECT i.new_id INTO v_new FROM import_ids i WHERE i.source = p_source AND i.kind = p_kind AND i.old_id = p_old;
		IF NOT FOUND THEN
			RAISE EXCEPTION '% % of % was not imported', p_kind, p_old, p_source USING ERRCODE = 'PA001';
		END IF;
	END IF;
	RETURN v_new;
END $$;
COMMENT ON FUNCTION import_find(text, text, text) IS 'New id of an imported thing; NULL for NULL; raises PA001 when it was not imported';

CREATE FUNCTION import_rule(p_good boolean, p_rule text) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF p_good IS NOT TRUE THEN
		RAISE EXCEPTION '%', p_rule USING ERRCODE = 'PA001';
	END IF;
END $$;
COMMENT ON FUNCTION import_rule(boolean, text) IS 'Raises PA001 with the rule unless it is kept';

CREATE FUNCTION import_time(p_record jsonb, p_field text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET timezone TO 'UTC' AS $$
DECLARE
	v_text text := p_record ->> p_field;
BEGIN
	PERFORM import_rule(v_text IS NULL OR v_text ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d', p_field || ' must be a time such as 2026-11-20T12:00:00Z');
	PERFORM import_rule(v_text IS NULL OR v_text::timestamptz BETWEEN '1990-01-01' AND clock_timestamp(),
		p_field || ' must be between 1990 and now');
	RETURN v_text::timestamptz;
EXCEPTION WHEN data_exception THEN
	RAISE EXCEPTION '% must be a time such as 2026-11-20T12:00:00Z', p_field USING ERRCODE = 'PA001';
END $$;
COMMENT ON FUNCTION import_time(jsonb, text) IS 'A time of a record; without a zone it is UTC; NULL: absent; raises PA001';

CREATE FUNCTION import_user(p_source text, r jsonb) RETURNS bigint
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
	PERFORM import_rule(v_made.status <> 'taken_name', format('username %s is taken', r ->> 'username'));
	PERFORM import_rule(v_made.status <> 'taken_email', format('email %s is taken', r ->> 'email'));
	UPDATE users u SET created_at = coalesce(v_at, u.created_at), disabled = coalesce((r ->> 'disabled')::boolean, false)
		WHERE u.id = v_made.id;
	RETURN v_made.id;
END $$;
COMMENT ON FUNCTION import_user(text, jsonb) IS 'Stores one imported account and gives its id; raises PA001 with the rule that was broken';

CREATE FUNCTION import_role(p_source text, r jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_at timestamptz := import_time(r, 'created_at');
	v_made record;
BEGIN
	PERFORM import_rule(name_ok(r ->> 'name'), 'name must be 1 to 32 of letters, digits, _ . -, not all digits, no reserved word');
	PERFORM import_rule(octet_length(coalesce(r ->> 'instructions', '')) <= 32768, 'instructions must have at most 32768 bytes');
	SELECT * INTO v_made FROM role_create(import_find(p_source, 'user', r ->> 'owner_id'), r ->> 'name', r ->> 'instructions',
		r ->> 'upstream', r ->> 'model', (r ->> 'temperature')::double precision, (r ->> 'max_tokens')::integer, 9223372036854775807);
	PERFORM import_rule(v_made.status = 'ok', format('name %s is taken', r ->> 'name'));
	UPDATE roles o SET created_at = coalesce(v_at, o.created_at) WHERE o.id = v_made.id;
	RETURN v_made.id;
END $$;
COMMENT ON FUNCTION import_role(text, jsonb) IS 'Stores one imported role and gives its id; raises PA001 with the rule that was broken';

CREATE FUNCTION import_list(r jsonb, p_field text) RETURNS SETOF text
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF jsonb_typeof(r -> p_field) IN ('array', 'null') IS FALSE THEN
		RAISE EXCEPTION '% must be a list of ids', p_field USING ERRCODE = 'PA001';
	END IF;
	RETURN QUERY SELECT DISTINCT e FROM jsonb_array_elements_text(nullif(r -> p_field, 'null')) e;
END $$;
COMMENT ON FUNCTION import_list(jsonb, text) IS 'Old ids that a record lists; none when absent; raises PA001';

-- Its members came in when it was made: their entries open the log, so that it is dense and its times never fall.
CREATE FUNCTION import_room(p_source text, r jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_at timestamptz := import_time(r, 'created_at');
	v_owner bigint := import_find(p_source, 'user', r ->> 'owner_id');
	v_room bigint;
	v_count bigint;
BEGIN
	PERFORM import_rule(length(r ->> 'name') BETWEEN 1 AND 100, 'name must have 1 to 100 characters');
	PERFORM import_rule(v_at IS NOT NULL, 'created_at is missing: the time of the room, not later than its first message');
	PERFORM import_rule(coalesce(r ->> 'visibility', 'public') IN ('public', 'private'), 'visibility must be public or private');
	PERFORM import_rule(coalesce(r ->> 'reply_policy', 'off') IN ('off', 'mention', 'all'), 'reply_policy must be off, mention or all');
	INSERT INTO rooms (name, owner_id, visibility, reply_policy, created_at, last_at, archived)
	VALUES (r ->> 'name', v_owner, coalesce(r ->> 'visibility', 'public'), r ->> 'reply_policy', v_at, v_at,
		coalesce((r ->> 'archived')::boolean, false)) RETURNING id INTO v_room;
	INSERT INTO members (room_id, user_id, level, joined_at)
	SELECT v_room, m.id, CASE WHEN m.id = v_owner THEN 'owner' ELSE 'member' END, v_at
	FROM (SELECT v_owner WHERE v_owner IS NOT NULL
		UNION SELECT import_find(p_source, 'user', e) FROM import_list(r, 'member_ids') e) AS m (id);
	INSERT INTO room_roles (room_id, role_id, attached_at)
	SELECT v_room, import_find(p_source, 'role', e), v_at FROM import_list(r, 'role_ids') e;
	INSERT INTO room_changes (room_id, seq, actor_id, created_at, actor_kind, kind, body)
	SELECT v_room, row_number() OVER (ORDER BY m.level DESC, m.user_id), m.user_id, v_at, 'user', 'joined',
		member_body(m.user_id, m.level) FROM members m WHERE m.room_id = v_room;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	UPDATE rooms o SET last_seq = v_count WHERE o.id = v_room;
	RETURN v_room;
END $$;
COMMENT ON FUNCTION import_room(text, jsonb) IS 'Stores one imported room with members and roles and gives its id; raises PA001 with the rule that was broken';

CREATE FUNCTION room_import(p_room bigint, p_author_kind text, p_author_id bigint, p_client_id text, p_content text,
	p_reply_to bigint, p_meta jsonb, p_created_at timestamptz, p_edited_at timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_room rooms;
BEGIN
	SELECT * INTO v_room FROM rooms o WHERE o.id = p_room FOR NO KEY UPDATE;
	PERFORM import_rule(v_room.id IS NOT NULL, 'the room is gone');
	PERFORM import_rule(p_created_at >= v_room.last_at, format('created_at is before %s, the last entry of room %s: times never fall within a room',
		to_char(v_room.last_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), p_room));
	INSERT INTO messages (room_id, seq, author_id, reply_to, created_at, edited_at, author_kind, client_id, content, meta)
	VALUES (p_room, v_room.last_seq + 1, p_author_id, p_reply_to, p_created_at, p_edited_at, p_author_kind, p_client_id,
		p_content, p_meta);
	UPDATE rooms o SET last_seq = v_room.last_seq + 1, last_at = p_created_at WHERE o.id = p_room;
	RETURN v_room.last_seq + 1;
END $$;
COMMENT ON FUNCTION room_import(bigint, text, bigint, text, text, bigint, jsonb, timestamptz, timestamptz) IS 'Appends an old message with its old time and gives its seq; raises PA001 when the room holds something later';

CREATE FUNCTION import_message(p_source text, r jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_at timestamptz := import_time(r, 'created_at');
	v_user bigint := import_find(p_source, 'user', r ->> 'user_id');
	v_role bigint := import_find(p_source, 'role', r ->> 'role_id');
	v_reply bigint;
	v_room bigint;
BEGIN
	PERFORM import_rule(r ->> 'room_id' IS NOT NULL, 'room_id is missing');
	v_room := import_find(p_source, 'room', r ->> 'room_id');
	PERFORM import_rule(v_at IS NOT NULL, 'created_at is missing');
	PERFORM import_rule(v_user IS NULL OR v_role IS NULL, 'user_id and role_id: a message has one author');
	PERFORM import_rule(octet_length(r ->> 'content') BETWEEN 1 AND 65536, 'content must have 1 to 65536 bytes');
	PERFORM import_rule(coalesce(jsonb_typeof(r -> 'meta'), 'null') IN ('object', 'null'), 'meta must be an object');
	SELECT i.new_id INTO v_reply FROM import_ids i WHERE i.source = p_source AND i.kind = 'message'
		AND i.old_id = r ->> 'reply_to' AND i.room_id = v_room;
	RETURN room_import(v_room, CASE WHEN v_user IS NOT NULL THEN 'user' WHEN v_role IS NOT NULL THEN 'role' ELSE 'system' END,
		coalesce(v_user, v_role, 0), format('import:%s:%s', p_source, r ->> 'id'), r ->> 'content', v_reply,
		nullif(r -> 'meta', 'null'), v_at, import_time(r, 'edited_at'));
END $$;
COMMENT ON FUNCTION import_message(text, jsonb) IS 'Stores one imported message and gives its seq; raises PA001 with the rule that was broken';

-- Each record is a subtransaction: what one of them breaks is undone with it alone.
CREATE FUNCTION import_one(p_source text, p_kind text, p_record text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	r jsonb;
	v_old text;
	v_new bigint;
BEGIN
	r := p_record;	-- not in the declaration, whose errors nobody catches
	v_old := r ->> 'id';
	PERFORM import_rule(jsonb_typeof(r) = 'object', 'must be a JSON object');
	PERFORM import_rule(jsonb_typeof(r -> 'id') IN ('string', 'number') AND length(v_old) BETWEEN 1 AND 56,
		'id must be a number or a string of 1 to 56 characters');
	PERFORM 1 FROM import_ids i WHERE i.source = p_source AND i.kind = p_kind AND i.old_id = v_old;
	IF FOUND THEN
		RETURN 'known';
	END IF;
	v_new := CASE p_kind WHEN 'user' THEN import_user(p_source, r) WHEN 'role' THEN import_role(p_source, r)
		WHEN 'room' THEN import_room(p_source, r) ELSE import_message(p_source, r) END;
	INSERT INTO import_ids (source, kind, old_id, new_id, room_id)
	VALUES (p_source, p_kind, v_old, v_new, CASE WHEN p_kind = 'message' THEN import_find(p_source, 'room', r ->> 'room_id') END);
	RETURN 'new';
EXCEPTION
	WHEN SQLSTATE 'PA001' THEN
		RETURN SQLERRM;
	WHEN data_exception OR integrity_constraint_violation THEN
		RETURN 'not usable: ' || SQLERRM;
END $$;
COMMENT ON FUNCTION import_one(text, text, text) IS 'Stores one record of kind user, role, room or message: new, known (imported before), or a sentence about what is wrong';

CREATE FUNCTION import_order(p_record text) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN import_time(p_record::jsonb, 'created_at');
EXCEPTION WHEN SQLSTATE 'PA001' OR data_exception THEN
	RETURN NULL;
END $$;
COMMENT ON FUNCTION import_order(text) IS 'created_at of a record; NULL when it has none that can be read';

CREATE FUNCTION import_all(p_source text, p_kind text, p_lines bigint[], p_records text[])
RETURNS TABLE (line bigint, outcome text)
LANGUAGE plpgsql AS $$
DECLARE
	v record;
BEGIN
	FOR v IN SELECT i.line, i.record FROM unnest(p_lines, p_records) AS i (line, record)
		ORDER BY CASE WHEN p_kind = 'message' THEN import_order(i.record) END, i.line
	LOOP
		line := v.line;
		outcome := import_one(p_source, p_kind, v.record);
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION import_all(text, text, bigint[], text[]) IS 'Stores all records of a file, messages in order of time; line and outcome of each as in import_one()';
