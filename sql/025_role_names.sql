-- SPDX-License-Identifier: ISC
-- Roles with names that are not made for mentions ("Product Manager"), pictures, and descriptions.

ALTER TABLE roles ADD COLUMN display_name text CHECK (length(display_name) BETWEEN 1 AND 64),
	ADD COLUMN avatar text CHECK (length(avatar) BETWEEN 1 AND 32),
	ADD COLUMN description text CHECK (length(description) BETWEEN 1 AND 2000);
COMMENT ON COLUMN roles.display_name IS 'Name as it was given, where that cannot be mentioned; name was made from it; NULL: the same as name';
COMMENT ON COLUMN roles.avatar IS 'A short text in the place of a picture, an emoji for example; NULL: none';
COMMENT ON COLUMN roles.description IS 'What people read about it; NULL: none';
CREATE UNIQUE INDEX roles_display ON roles (owner_id, lower(coalesce(display_name, name))) WHERE deleted_at IS NULL;

CREATE FUNCTION mention_name(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN name_ok(p_name) THEN p_name WHEN name_ok(n) THEN n ELSE 'role' END
	FROM (SELECT trim(both '_' from left(trim(both '_' from regexp_replace(
		regexp_replace(normalize(p_name, NFKD), '[\u0300-\u036f]', '', 'g'), '[^A-Za-z0-9_.-]+', '_', 'g')), 28))) x (n)
$$;
COMMENT ON FUNCTION mention_name(text) IS 'A name that can be mentioned, made from any: itself, without accents and with _ for what is no part of a name, or role';

CREATE FUNCTION role_claim(p_id bigint, p_name text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_base text := mention_name(p_name);
	v_name text;
BEGIN
	-- a name that is good as it is stays what it is or is taken; one that was made gets a number
	FOR i IN 1..CASE WHEN v_base = p_name THEN 1 ELSE 999 END LOOP
		v_name := v_base || CASE WHEN i > 1 THEN '_' || i ELSE '' END;
		INSERT INTO names (name, kind, id) VALUES (lower(v_name), 'role', p_id) ON CONFLICT DO NOTHING;
		IF FOUND THEN
			RETURN v_name;
		END IF;
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION role_claim(bigint, text) IS 'Takes the name for mentions of a role that is called p_name; NULL: taken';

CREATE FUNCTION role_shows(p_owner bigint, p_name text, p_but bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM roles r WHERE r.owner_id = p_owner AND r.id <> p_but AND r.deleted_at IS NULL
		AND lower(coalesce(r.display_name, r.name)) = lower(p_name))
$$;
COMMENT ON FUNCTION role_shows(bigint, text, bigint) IS 'Does this owner have another role that is called so?';

DROP FUNCTION role_create(bigint, text, text, text, text, double precision, integer, bigint);
CREATE FUNCTION role_create(p_owner bigint, p_name text, p_instructions text, p_upstream text, p_model text,
	p_temperature double precision, p_max_tokens integer, p_max_per_owner bigint, p_avatar text DEFAULT NULL,
	p_description text DEFAULT NULL)
RETURNS TABLE (status text, id bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint;
	v_name text;
BEGIN
	IF p_owner IS NOT NULL THEN
		PERFORM 1 FROM users u WHERE u.id = p_owner FOR NO KEY UPDATE;	-- counts one at a time
		IF NOT FOUND THEN
			RETURN QUERY SELECT 'not_found', NULL::bigint;
			RETURN;
		END IF;
		IF (SELECT count(*) FROM roles r WHERE r.owner_id = p_owner AND r.deleted_at IS NULL) >= p_max_per_owner THEN
			RETURN QUERY SELECT 'limit', NULL::bigint;
			RETURN;
		END IF;
	END IF;
	v_id := nextval(pg_get_serial_sequence('roles', 'id'));
	IF NOT role_shows(p_owner, p_name, v_id) THEN
		v_name := role_claim(v_id, p_name);
	END IF;
	IF v_name IS NULL THEN
		RETURN QUERY SELECT 'taken_name', NULL::bigint;
		RETURN;
	END IF;
	INSERT INTO roles (id, owner_id, name, display_name, instructions, upstream, model, temperature, max_tokens, avatar,
			description)
		OVERRIDING SYSTEM VALUE
		VALUES (v_id, p_owner, v_name, nullif(p_name, v_name), coalesce(p_instructions, ''), p_upstream, p_model, p_temperature,
			p_max_tokens, nullif(p_avatar, ''), nullif(p_description, ''));
	RETURN QUERY SELECT 'ok', v_id;
END $$;
COMMENT ON FUNCTION role_create(bigint, text, text, text, text, double precision, integer, bigint, text, text) IS 'A new role; status ok, taken_name, limit, not_found (owner)';

DROP FUNCTION role_patch(bigint, bigint, boolean, text, text, text, text, boolean, double precision, boolean, integer);
CREATE FUNCTION role_patch(p_id bigint, p_user bigint, p_admin boolean, p_name text, p_instructions text,
	p_upstream text, p_model text, p_set_temperature boolean, p_temperature double precision,
	p_set_max_tokens boolean, p_max_tokens integer, p_avatar text DEFAULT NULL, p_description text DEFAULT NULL)
RETURNS TABLE (status text)
LANGUAGE plpgsql AS $$
DECLARE
	v_role roles;
	v_name text;
BEGIN
	SELECT * INTO v_role FROM roles r WHERE r.id = p_id AND r.deleted_at IS NULL FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		status := 'not_found';
		RETURN NEXT;
		RETURN;
	END IF;
	IF NOT p_admin AND v_role.owner_id IS DISTINCT FROM p_user THEN
		status := 'forbidden';
		RETURN NEXT;
		RETURN;
	END IF;
	v_name := v_role.name;
	IF p_name <> coalesce(v_role.display_name, v_role.name) THEN
		PERFORM 1 FROM users u WHERE u.id = v_role.owner_id FOR NO KEY UPDATE;	-- as role_create()
		IF role_shows(v_role.owner_id, p_name, p_id) THEN
			v_name := NULL;
		ELSIF lower(mention_name(p_name)) = lower(v_role.name) THEN
			v_name := mention_name(p_name);
		ELSE
			v_name := role_claim(-p_id, p_name);
			IF v_name IS NOT NULL THEN
				DELETE FROM names n WHERE n.kind = 'role' AND n.id = p_id;
				UPDATE names n SET id = p_id WHERE n.name = lower(v_name);
			END IF;
		END IF;
		IF v_name IS NULL THEN
			status := 'taken_name';
			RETURN NEXT;
			RETURN;
		END IF;
	END IF;
	UPDATE roles r SET
		name = v_name,
		display_name = CASE WHEN p_name IS NULL THEN r.display_name ELSE nullif(p_name, v_name) END,
		instructions = coalesce(p_instructions, r.instructions),
		upstream = CASE WHEN p_upstream IS NULL THEN r.upstream ELSE nullif(p_upstream, '') END,
		model = CASE WHEN p_model IS NULL THEN r.model ELSE nullif(p_model, '') END,
		temperature = CASE WHEN p_set_temperature THEN p_temperature ELSE r.temperature END,
		max_tokens = CASE WHEN p_set_max_tokens THEN p_max_tokens ELSE r.max_tokens END,
		avatar = CASE WHEN p_avatar IS NULL THEN r.avatar ELSE nullif(p_avatar, '') END,
		description = CASE WHEN p_description IS NULL THEN r.description ELSE nullif(p_description, '') END,
		updated_at = clock_timestamp()
	WHERE r.id = p_id;
	status := 'ok';
	RETURN NEXT;
	RETURN;
END $$;
COMMENT ON FUNCTION role_patch(bigint, bigint, boolean, text, text, text, text, boolean, double precision, boolean, integer, text, text) IS 'Changes a role (NULL: unchanged; empty upstream or model: default; empty avatar or description: none); ok, not_found, forbidden, taken_name';

-- role_names: a line for the name, a second one for the name as it was given where that differs.
CREATE OR REPLACE FUNCTION room_view(p_room bigint, p_user bigint)
RETURNS TABLE (id bigint, name text, owner_id bigint, visibility text, reply_policy text, level text, last_seq bigint,
	last_at timestamptz, epoch bigint, created_at timestamptz, member_count bigint, archived boolean, role_ids bigint[],
	role_names text[])
LANGUAGE sql STABLE AS $$
	SELECT r.id, r.name, r.owner_id, r.visibility, r.reply_policy,
		(SELECT m.level FROM members m WHERE m.room_id = r.id AND m.user_id = p_user), r.last_seq, r.last_at, r.epoch,
		r.created_at, (SELECT count(*) FROM members m WHERE m.room_id = r.id), r.archived,
		ARRAY(SELECT rr.role_id FROM room_roles rr WHERE rr.room_id = r.id ORDER BY 1),
		ARRAY(SELECT concat_ws(E'\n', o.name, o.display_name) FROM room_roles rr JOIN roles o ON o.id = rr.role_id
			WHERE rr.room_id = r.id ORDER BY rr.role_id)
	FROM rooms r WHERE r.id = p_room
$$;

CREATE OR REPLACE FUNCTION import_role(p_source text, r jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_at timestamptz := import_time(r, 'created_at');
	v_name text := coalesce(nullif(trim(r ->> 'display_name'), ''), r ->> 'name');
	v_made record;
BEGIN
	PERFORM import_rule(name_ok(r ->> 'name'), 'name must be 1 to 32 of letters, digits, _ . -, not all digits, no reserved word');
	PERFORM import_rule(name_ok(v_name) OR (length(v_name) <= 64 AND v_name ~ '[^A-Za-z0-9_.-]' AND v_name !~ '[[:cntrl:]]'),
		'display_name must be a name, or up to 64 characters with others than those of names');
	PERFORM import_rule(octet_length(coalesce(r ->> 'instructions', r ->> 'ai_instructions', '')) <= 32768,
		'instructions must have at most 32768 bytes');
	PERFORM import_rule(length(coalesce(r ->> 'avatar', '')) <= 32, 'avatar must have at most 32 characters');
	PERFORM import_rule(length(coalesce(r ->> 'description', '')) <= 2000, 'description must have at most 2000 characters');
	SELECT * INTO v_made FROM role_create(import_find(p_source, 'user', r ->> 'owner_id'), v_name,
		coalesce(r ->> 'instructions', r ->> 'ai_instructions'), r ->> 'upstream', r ->> 'model',
		(r ->> 'temperature')::double precision, (r ->> 'max_tokens')::integer, 9223372036854775807, r ->> 'avatar',
		r ->> 'description');
	PERFORM import_rule(v_made.status = 'ok', format('name %s is taken', v_name));
	UPDATE roles o SET created_at = coalesce(v_at, o.created_at) WHERE o.id = v_made.id;
	RETURN v_made.id;
END $$;
