-- SPDX-License-Identifier: ISC
-- Rooms as JSON lines. Members: the owner and all authors; roles: those that answered. A room is not newer than its
-- first message.
WITH said AS (
	SELECT m ->> 'room_id' AS room, coalesce(m ->> 'user_id', m ->> 'sender_id', m ->> 'author_id') AS member,
		m ->> 'role_id' AS role, coalesce(m ->> 'created_at', m ->> 'timestamp') AS at
	FROM (SELECT to_jsonb(t) AS m FROM message t) AS old_messages
)
SELECT jsonb_strip_nulls(jsonb_build_object(
	'id', r -> 'id',
	'name', left(coalesce(nullif(r ->> 'name', ''), 'Room ' || (r ->> 'id')), 100),
	'owner_id', coalesce(r -> 'owner_id', r -> 'created_by', r -> 'creator_id', r -> 'user_id'),
	'visibility', CASE WHEN coalesce(r ->> 'is_private', 'false') = 'true' THEN 'private' ELSE 'public' END,
	'member_ids', (SELECT jsonb_agg(DISTINCT s.member) FROM said s WHERE s.room = r ->> 'id' AND s.member IS NOT NULL),
	'role_ids', (SELECT jsonb_agg(DISTINCT s.role) FROM said s WHERE s.room = r ->> 'id' AND s.role IS NOT NULL),
	'created_at', least(r ->> 'created_at', (SELECT min(s.at) FROM said s WHERE s.room = r ->> 'id'))))
FROM (SELECT to_jsonb(o) AS r FROM room o ORDER BY o.id) AS old
