-- SPDX-License-Identifier: ISC
-- Accounts as JSON lines: psql -XAtq -d OLD_DATABASE -f fastapi-users.sql > users.jsonl
-- A row without username gets the part of its address before the @, with _ for characters that are not allowed.
SELECT jsonb_strip_nulls(jsonb_build_object(
	'id', r -> 'id',
	'username', coalesce(r ->> 'username', left(regexp_replace(split_part(r ->> 'email', '@', 1), '[^A-Za-z0-9_.-]', '_', 'g'), 32)),
	'email', r ->> 'email',
	'name', nullif(coalesce(r ->> 'name', r ->> 'full_name'), ''),
	'password_hash', coalesce(r ->> 'hashed_password', r ->> 'password_hash', r ->> 'password'),
	'disabled', coalesce((r ->> 'disabled')::boolean, NOT (r ->> 'is_active')::boolean, false),
	'access', CASE WHEN coalesce(r ->> 'is_superuser', r ->> 'is_admin') = 'true' THEN 'admin' END,
	'created_at', r ->> 'created_at'))
FROM (SELECT to_jsonb(u) AS r FROM "user" u ORDER BY u.id) AS old
