-- SPDX-License-Identifier: ISC
-- Messages as JSON lines: by a role when role_id is set, else by the user, else by the system.
SELECT jsonb_strip_nulls(jsonb_build_object(
	'id', r -> 'id',
	'room_id', r -> 'room_id',
	'role_id', r -> 'role_id',
	'user_id', CASE WHEN r ->> 'role_id' IS NULL THEN coalesce(r -> 'user_id', r -> 'sender_id', r -> 'author_id') END,
	'content', coalesce(r ->> 'content', r ->> 'text', r ->> 'message'),
	'reply_to', coalesce(r -> 'reply_to', r -> 'reply_to_id', r -> 'parent_id'),
	'created_at', coalesce(r ->> 'created_at', r ->> 'timestamp')))
FROM (SELECT to_jsonb(m) AS r FROM message m ORDER BY m.id) AS old
