-- SPDX-License-Identifier: ISC
-- Messages and logs without the table of accounts: workers keep the names of users, and hear of changes.

CREATE FUNCTION user_renamed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('parlour_names', OLD.id::text);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION user_renamed() IS 'Tells the running server that it must read the name and display name of this account again';
CREATE TRIGGER user_renamed AFTER UPDATE OF username, name ON users FOR EACH ROW
	WHEN (OLD.username <> NEW.username OR OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION user_renamed();
CREATE TRIGGER user_unnamed AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION user_renamed();

-- In the columns of log_rows, spelled out without users: a lock on a table that a statement names holds it up, even if
-- the statement would read no row of it.
CREATE OR REPLACE FUNCTION room_log(p_room bigint, p_after bigint, p_limit integer) RETURNS SETOF log_rows
LANGUAGE sql STABLE AS $$
	(SELECT m.room_id, m.seq, m.author_kind, m.author_id,
		CASE m.author_kind WHEN 'role' THEN (SELECT x.name FROM roles x WHERE x.id = m.author_id)
			WHEN 'system' THEN 'system' END,
		m.client_id, m.content, m.reply_to, m.generation_id::text,
		CASE WHEN m.reasoning IS NULL THEN m.meta ELSE m.meta || jsonb_build_object('reasoning', m.reasoning) END::text,
		m.created_at, m.edited_at, m.deleted_at, NULL::text
	FROM messages m WHERE m.room_id = p_room AND m.seq > p_after ORDER BY m.seq LIMIT p_limit)
	UNION ALL
	(SELECT c.room_id, c.seq, c.actor_kind, c.actor_id,
		CASE c.actor_kind WHEN 'role' THEN (SELECT x.name FROM roles x WHERE x.id = c.actor_id)
			WHEN 'system' THEN 'system' END,
		NULL, NULL, c.target_seq, NULL, c.body::text, c.created_at, NULL, NULL, c.kind
	FROM room_changes c WHERE c.room_id = p_room AND c.seq > p_after ORDER BY c.seq LIMIT p_limit)
	ORDER BY seq LIMIT p_limit
$$;
COMMENT ON FUNCTION room_log(bigint, bigint, integer) IS 'Log entries with a higher seq, oldest first, without the names of users; no access check';
COMMENT ON FUNCTION room_log_chunk(bigint, bigint, integer, bigint) IS 'Log entries with a higher seq, oldest first, without the names of users: at most p_limit, and none after the one that reaches p_bytes of text';
