-- SPDX-License-Identifier: ISC
-- Imported messages follow the rule for messages: they must have a visible character.

-- The rule of pl_text_visible() in lib/text.h, for what does not come through the daemon's own checks.
CREATE FUNCTION text_visible(p_text text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT p_text ~ U&'[^\0001-\0020\007F-\00A0\00AD\034F\061C\115F\1160\1680\17B4\17B5\180B-\180F\2000-\200F\2028-\202F\205F-\206F\2800\3000\3164\FE00-\FE0F\FEFF\FFA0\FFF0-\FFFB\+0E0000-\+0E0FFF]'
$$;
COMMENT ON FUNCTION text_visible(text) IS 'Does a text hold a character that can be seen, among whatever else?';

CREATE OR REPLACE FUNCTION import_message(p_source text, r jsonb) RETURNS bigint
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
	PERFORM import_rule(octet_length(r ->> 'content') BETWEEN 1 AND 4194304, 'content must have 1 to 4194304 bytes');
	PERFORM import_rule(text_visible(r ->> 'content'), 'content must have a visible character');
	PERFORM import_rule(coalesce(jsonb_typeof(r -> 'meta'), 'null') IN ('object', 'null'), 'meta must be an object');
	SELECT i.new_id INTO v_reply FROM import_ids i WHERE i.source = p_source AND i.kind = 'message'
		AND i.old_id = r ->> 'reply_to' AND i.room_id = v_room;
	RETURN room_import(v_room, CASE WHEN v_user IS NOT NULL THEN 'user' WHEN v_role IS NOT NULL THEN 'role' ELSE 'system' END,
		coalesce(v_user, v_role, 0), format('import:%s:%s', p_source, r ->> 'id'), r ->> 'content', v_reply,
		nullif(r -> 'meta', 'null'), v_at, import_time(r, 'edited_at'));
END $$;
COMMENT ON FUNCTION import_message(text, jsonb) IS 'Stores one imported message and gives its seq; raises PA001 with the rule that was broken';
