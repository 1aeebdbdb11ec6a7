-- SPDX-License-Identifier: ISC
-- Answers of models may have up to 4 MiB (setting max_answer).

COMMENT ON COLUMN messages.content IS 'Text: of people at most max_content bytes, of AI roles at most max_answer';

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
	PERFORM import_rule(coalesce(jsonb_typeof(r -> 'meta'), 'null') IN ('object', 'null'), 'meta must be an object');
	SELECT i.new_id INTO v_reply FROM import_ids i WHERE i.source = p_source AND i.kind = 'message'
		AND i.old_id = r ->> 'reply_to' AND i.room_id = v_room;
	RETURN room_import(v_room, CASE WHEN v_user IS NOT NULL THEN 'user' WHEN v_role IS NOT NULL THEN 'role' ELSE 'system' END,
		coalesce(v_user, v_role, 0), format('import:%s:%s', p_source, r ->> 'id'), r ->> 'content', v_reply,
		nullif(r -> 'meta', 'null'), v_at, import_time(r, 'edited_at'));
END $$;
COMMENT ON FUNCTION import_message(text, jsonb) IS 'Stores one imported message and gives its seq; raises PA001 with the rule that was broken';
