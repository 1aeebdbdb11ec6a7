-- SPDX-License-Identifier: ISC
-- AI roles as JSON lines. name is for mentions (@name); a name with blanks or other special characters becomes display_name.
SELECT jsonb_strip_nulls(jsonb_build_object(
	'id', r -> 'id',
	'name', left(regexp_replace(r ->> 'name', '[^A-Za-z0-9_.-]+', '_', 'g'), 32),
	'display_name', nullif(r ->> 'name', regexp_replace(r ->> 'name', '[^A-Za-z0-9_.-]+', '_', 'g')),
	'avatar', r ->> 'avatar',
	'description', r ->> 'description',
	'instructions', coalesce(r ->> 'instructions', r ->> 'ai_instructions', r ->> 'system_prompt', r ->> 'description'),
	'owner_id', coalesce(r -> 'owner_id', r -> 'user_id', r -> 'created_by'),
	'model', coalesce(r ->> 'model', r ->> 'llm_model'),
	'temperature', r -> 'temperature',
	'max_tokens', r -> 'max_tokens',
	'created_at', r ->> 'created_at'))
FROM (SELECT to_jsonb(o) AS r FROM role o ORDER BY o.id) AS old
