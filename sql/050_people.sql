-- SPDX-License-Identifier: ISC
-- People: a directory to find them in, and display names that are never the user name of somebody else.

-- What a display name takes from the names for mentions: nothing, unless it has their form. pg_restore and autovacuum
-- compute it for the index with an empty search_path, so it has one of its own.
CREATE FUNCTION shown_key(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
	SELECT CASE WHEN name_ok(k) THEN k END FROM (SELECT lower(btrim(normalize(p_name, NFKC)))) x (k)
$$;
COMMENT ON FUNCTION shown_key(text) IS 'The user name, in lower case, that a display name reads like; NULL: it has not the form of one';

-- A display name with the form of a user name has a row in names, so that the primary key decides who was first: several
-- users may be called Bob, but then nobody takes the user name bob, and nobody is called like the user name of another.
ALTER TABLE names DROP CONSTRAINT names_kind_check, DROP CONSTRAINT names_kind_id_key;
ALTER TABLE names ADD CONSTRAINT names_kind_check CHECK (kind IN ('user', 'role', 'shown'));
CREATE UNIQUE INDEX names_owner ON names (kind, id) WHERE kind <> 'shown';
COMMENT ON TABLE names IS 'The one namespace of users and roles, so that @name means one of them, and no display name reads like one of another';
COMMENT ON COLUMN names.kind IS 'user or role; shown: no name for mentions, but display name of one or more users';
COMMENT ON COLUMN names.id IS 'users.id or roles.id; shown: 0';
CREATE INDEX users_shown ON users (shown_key(name)) WHERE shown_key(name) IS NOT NULL;
COMMENT ON INDEX users_shown IS 'Is a display name with the form of a user name still used?';

CREATE FUNCTION shown_claim(p_user bigint, p_key text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	v_name names;
BEGIN
	INSERT INTO names AS n (name, kind, id) VALUES (p_key, 'shown', 0)
		ON CONFLICT (name) DO UPDATE SET id = n.id	-- locks it, so that nobody frees it meanwhile
		RETURNING * INTO v_name;
	RETURN v_name.kind = 'shown' OR (v_name.kind = 'user' AND v_name.id = p_user);
END $$;
COMMENT ON FUNCTION shown_claim(bigint, text) IS 'Takes a name (of shown_key()) for the display name of a user; false: it is the name of another user or a role';

CREATE FUNCTION user_shows() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	v_key text := shown_key(NEW.name);
BEGIN
	IF v_key IS NOT NULL AND (TG_OP = 'INSERT' OR v_key IS DISTINCT FROM shown_key(OLD.name))
		AND NOT shown_claim(NEW.id, v_key)
	THEN
		RAISE EXCEPTION 'name must not be the user name of somebody else, or the name of a role' USING ERRCODE = 'PA002';
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION user_shows() IS 'Refuses a display name that reads like the name of another user or a role';

CREATE FUNCTION user_showed() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	v_key text := shown_key(OLD.name);
BEGIN
	IF v_key IS NOT NULL AND (TG_OP = 'DELETE' OR v_key IS DISTINCT FROM shown_key(NEW.name)) THEN
		PERFORM 1 FROM names n WHERE n.name = v_key AND n.kind = 'shown' FOR UPDATE;
		IF FOUND AND NOT EXISTS (SELECT FROM users u WHERE shown_key(u.name) = v_key) THEN
			DELETE FROM names n WHERE n.name = v_key AND n.kind = 'shown';
		END IF;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION user_showed() IS 'Frees a name that was somebody''s display name and is nobody''s any more';

-- Display names that were somebody else's name already: the name stays, the display name goes.
UPDATE users u SET name = NULL WHERE shown_key(u.name) IS NOT NULL AND EXISTS (SELECT FROM names n
	WHERE n.name = shown_key(u.name) AND NOT (n.kind = 'user' AND n.id = u.id));
INSERT INTO names (name, kind, id) SELECT DISTINCT shown_key(u.name), 'shown', 0 FROM users u
	WHERE shown_key(u.name) IS NOT NULL ON CONFLICT DO NOTHING;

CREATE TRIGGER user_shows BEFORE INSERT OR UPDATE OF name ON users FOR EACH ROW EXECUTE FUNCTION user_shows();
CREATE TRIGGER user_showed AFTER UPDATE OF name OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION user_showed();

-- Those of roles cannot read like a name at all: one that does is the role's name for mentions.
ALTER TABLE roles ADD CONSTRAINT roles_display_name_form CHECK (NOT name_ok(display_name)) NOT VALID;

CREATE OR REPLACE FUNCTION user_create(p_username text, p_email text, p_name text, p_password_hash text, p_access text)
RETURNS TABLE (status text, id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint := nextval(pg_get_serial_sequence('users', 'id'));
	v_key text := shown_key(p_name);
BEGIN
	INSERT INTO names (name, kind, id) VALUES (lower(p_username), 'user', v_id) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'taken_name', NULL::bigint;
		RETURN;
	END IF;
	IF v_key IS NOT NULL AND NOT shown_claim(v_id, v_key) THEN
		DELETE FROM names n WHERE n.kind = 'user' AND n.id = v_id;
		RETURN QUERY SELECT 'taken_shown', NULL::bigint;
		RETURN;
	END IF;
	INSERT INTO users (id, username, email, name, password_hash, access) OVERRIDING SYSTEM VALUE
		VALUES (v_id, p_username, p_email, p_name, p_password_hash, p_access) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		DELETE FROM names n WHERE n.kind = 'user' AND n.id = v_id;
		DELETE FROM names n WHERE n.name = v_key AND n.kind = 'shown'
			AND NOT EXISTS (SELECT FROM users u WHERE shown_key(u.name) = v_key);
		RETURN QUERY SELECT 'taken_email', NULL::bigint;
		RETURN;
	END IF;
	RETURN QUERY SELECT 'ok', v_id;
END $$;
COMMENT ON FUNCTION user_create(text, text, text, text, text) IS 'New account; status ok, taken_name, taken_email, taken_shown (the display name reads like the name of another user or a role)';

CREATE OR REPLACE FUNCTION user_patch(p_id bigint, p_email text, p_name text) RETURNS TABLE (status text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_id FOR UPDATE;
	IF NOT FOUND THEN
		status := 'not_found';
		RETURN NEXT;
		RETURN;
	END IF;
	BEGIN
		UPDATE users u SET
			email = CASE WHEN p_email IS NULL THEN u.email ELSE nullif(p_email, '') END,
			name = CASE WHEN p_name IS NULL THEN u.name ELSE nullif(p_name, '') END,
			updated_at = clock_timestamp()
		WHERE u.id = p_id;
	EXCEPTION WHEN unique_violation THEN
		status := 'taken_email';
		RETURN NEXT;
		RETURN;
	WHEN SQLSTATE 'PA002' THEN
		status := 'taken_shown';
		RETURN NEXT;
		RETURN;
	END;
	status := 'ok';
	RETURN NEXT;
	RETURN;
END $$;
COMMENT ON FUNCTION user_patch(bigint, text, text) IS 'Changes e-mail address and name (NULL: unchanged, empty: none); ok, not_found, taken_email, taken_shown';

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
	PERFORM import_rule(v_made.status <> 'taken_name', format('username %s is taken', r ->> 'username'));
	PERFORM import_rule(v_made.status <> 'taken_email', format('email %s is taken', r ->> 'email'));
	PERFORM import_rule(v_made.status <> 'taken_shown', format('name %s is the username of another user, or the name of a role',
		r ->> 'name'));
	UPDATE users u SET created_at = coalesce(v_at, u.created_at), disabled = coalesce((r ->> 'disabled')::boolean, false)
		WHERE u.id = v_made.id;
	RETURN v_made.id;
END $$;

-- The directory

CREATE INDEX users_name_similar ON users USING gin (lower(username) gin_trgm_ops, lower(name) gin_trgm_ops);
COMMENT ON INDEX users_name_similar IS 'Directory: parts of names, and names that are written alike';
CREATE INDEX users_username_begin ON users (lower(username) text_pattern_ops);
COMMENT ON INDEX users_username_begin IS 'Directory: beginnings of user names';
CREATE INDEX users_name_begin ON users (lower(name) text_pattern_ops) WHERE name IS NOT NULL;
COMMENT ON INDEX users_name_begin IS 'Directory: beginnings of display names';

-- p_whom: who is to be seen, as the setting user_directory says; all for admins.
CREATE FUNCTION people_sees(p_user bigint, p_whom text, p_other bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT p_whom = 'all' OR p_other = p_user OR (p_whom = 'shared_rooms' AND EXISTS (SELECT FROM members a
		JOIN members b ON b.room_id = a.room_id AND b.user_id = p_other WHERE a.user_id = p_user))
$$;
COMMENT ON FUNCTION people_sees(bigint, text, bigint) IS 'May p_user find p_other in the directory? p_whom: setting user_directory';

CREATE FUNCTION people_rank(p_username text, p_name text, p_query text) RETURNS double precision
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN lower(p_username) = p_query THEN 1 WHEN lower(p_name) = p_query THEN 2
		WHEN starts_with(lower(p_username), p_query) THEN 3 WHEN starts_with(lower(p_name), p_query) THEN 4
		WHEN position(' ' || p_query IN lower(p_name)) > 0 THEN 5
		ELSE 7 - greatest(word_similarity(p_query, lower(p_username)), word_similarity(p_query, lower(p_name))) END
$$;
COMMENT ON FUNCTION people_rank(text, text, text) IS 'How well a user fits what is looked for (in lower case); less is better';

CREATE FUNCTION people_find(p_user bigint, p_whom text, p_query text, p_after bigint, p_offset bigint, p_limit integer)
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
			SELECT people_rank(u.username, u.name, v_query) INTO v_rank FROM users u WHERE u.id = p_after;
		END IF;
		v_hits := 'SELECT u.id, people_rank(u.username, u.name, $3) AS rank FROM users u WHERE NOT u.disabled '
			|| 'AND (lower(u.username) LIKE $7 || ''%'' OR lower(u.name) LIKE $7 || ''%'' OR lower(u.name) LIKE ''% '' || $7 || ''%'''
			|| CASE WHEN length(v_query) > 2 THEN ' OR $3 <% lower(u.username) OR $3 <% lower(u.name))' ELSE ')' END;
	END IF;
	IF p_whom <> 'all' THEN
		v_hits := v_hits || ' AND people_sees($1, $2, u.id)';
	END IF;
	RETURN QUERY EXECUTE format('SELECT %s, p.id FROM (SELECT) one LEFT JOIN (SELECT h.id, h.rank FROM (%s) h WHERE %s '
		|| 'ORDER BY h.rank, h.id OFFSET $5 LIMIT $6) p ON true ORDER BY p.rank, p.id',
		CASE WHEN p_offset IS NULL THEN '0::bigint' ELSE format('(SELECT count(*) FROM (%s) c)', v_hits) END, v_hits,
		CASE WHEN p_after = 0 THEN 'true' WHEN v_query IS NULL THEN 'h.id > $4' ELSE '(h.rank, h.id) > ($8, $4)' END)
		USING p_user, p_whom, v_query, p_after, coalesce(p_offset, 0), p_limit, v_like, v_rank;
END $$;
COMMENT ON FUNCTION people_find(bigint, text, text, bigint, bigint, integer) IS 'Users whose user name or display name begins so, has a word that does, or is written alike, the best first; NULL: all, by id. At least one row, with user_id NULL where there is none; total is counted with p_offset only';
