-- SPDX-License-Identifier: ISC
-- Notifications: one inbox per user. A row names what happened and has no text of it, so that deleted words are nowhere.

CREATE TABLE notifications (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	kind       text NOT NULL CHECK (kind IN ('mention', 'reply', 'added', 'invite', 'question')),
	actor_id   bigint NOT NULL,
	room_id    bigint REFERENCES rooms ON DELETE CASCADE,
	seq        bigint,
	request_id uuid REFERENCES feedback_requests ON DELETE CASCADE,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	read_at    timestamptz,
	announced  boolean NOT NULL DEFAULT false,
	CHECK (seq IS NULL OR room_id IS NOT NULL)
);
CREATE INDEX notifications_user ON notifications (user_id, id);
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at IS NULL;
CREATE INDEX notifications_new ON notifications (id) WHERE NOT announced;
CREATE UNIQUE INDEX notifications_event ON notifications (room_id, seq, user_id);
CREATE INDEX notifications_request ON notifications (request_id) WHERE request_id IS NOT NULL;
COMMENT ON TABLE notifications IS 'Inboxes of users';
COMMENT ON COLUMN notifications.id IS 'Number of the notification; later ones are higher';
COMMENT ON COLUMN notifications.user_id IS 'User whose inbox it is in';
COMMENT ON COLUMN notifications.kind IS 'mention and reply: a message; added: to a room by somebody else; invite: an invite of the user was used; question: a feedback request to the user';
COMMENT ON COLUMN notifications.actor_id IS 'User who caused it; without a foreign key, like messages.author_id';
COMMENT ON COLUMN notifications.room_id IS 'Room; NULL: none';
COMMENT ON COLUMN notifications.seq IS 'Entry in the room''s log: the message, or that the user was added; NULL: none';
COMMENT ON COLUMN notifications.request_id IS 'Feedback request; NULL: none';
COMMENT ON COLUMN notifications.created_at IS 'When it was created';
COMMENT ON COLUMN notifications.read_at IS 'When the user read it; NULL: unread';
COMMENT ON COLUMN notifications.announced IS 'Was it sent to the sockets of the user?';

CREATE TABLE notification_queue (
	room_id    bigint NOT NULL,
	seq        bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (room_id, seq)
);
CREATE INDEX notification_queue_age ON notification_queue (created_at);
COMMENT ON TABLE notification_queue IS 'Messages that may notify somebody and were not looked at yet. The worker that stored the message does that after the commit; if it dies, the clerk does';
COMMENT ON COLUMN notification_queue.room_id IS 'Room';
COMMENT ON COLUMN notification_queue.seq IS 'Position of the message';
COMMENT ON COLUMN notification_queue.created_at IS 'When the message was stored';

CREATE FUNCTION notification_wanted(p_user bigint, p_kind text, p_actor bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT p_user <> p_actor AND EXISTS (SELECT FROM users u WHERE u.id = p_user AND NOT u.disabled)
		AND NOT EXISTS (SELECT FROM blocks b WHERE b.user_id = p_user AND b.blocked_id = p_actor)
$$;
COMMENT ON FUNCTION notification_wanted(bigint, text, bigint) IS 'Does this user want a notification of this kind because of p_actor? Not of what the user does, and not of blocked users';

CREATE FUNCTION notification_imports() RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT coalesce(current_setting('parlour.caller', true), '') LIKE '0 parlourctl:%'
$$;
COMMENT ON FUNCTION notification_imports() IS 'Does parlourctl write here? What it imports is old and notifies nobody';

-- The condition of the trigger is all that a message without an @ costs.
CREATE FUNCTION notify_of_message() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF NOT notification_imports() THEN
		INSERT INTO notification_queue (room_id, seq) VALUES (NEW.room_id, NEW.seq);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION notify_of_message() IS 'Queues a message that may mention somebody or is a reply';
CREATE TRIGGER notify AFTER INSERT ON messages FOR EACH ROW
	WHEN (NEW.author_kind = 'user' AND (NEW.reply_to IS NOT NULL OR strpos(NEW.content, '@') > 0 OR strpos(NEW.content, U&'\FF20') > 0))
	EXECUTE FUNCTION notify_of_message();

CREATE FUNCTION notify_of_member() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO notifications (user_id, kind, actor_id, room_id, seq)
		SELECT w.id, 'added', NEW.actor_id, NEW.room_id, NEW.seq FROM (SELECT (NEW.body ->> 'user_id')::bigint) w (id)
		WHERE notification_wanted(w.id, 'added', NEW.actor_id) AND NOT notification_imports()
		ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION notify_of_member() IS 'Notifies a user whom somebody else added to a room';
CREATE TRIGGER notify AFTER INSERT ON room_changes FOR EACH ROW WHEN (NEW.kind = 'joined' AND NEW.actor_kind = 'user')
	EXECUTE FUNCTION notify_of_member();

CREATE FUNCTION notify_of_invite() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO notifications (user_id, kind, actor_id, room_id)
		SELECT i.creator_id, 'invite', NEW.user_id, i.room_id FROM invites i
		WHERE i.id = NEW.invite_id AND notification_wanted(i.creator_id, 'invite', NEW.user_id);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION notify_of_invite() IS 'Notifies the creator of an invite that it was used';
CREATE TRIGGER notify AFTER INSERT ON invite_uses FOR EACH ROW EXECUTE FUNCTION notify_of_invite();

CREATE FUNCTION notify_of_question() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO notifications (user_id, kind, actor_id, request_id)
		SELECT NEW.asked_id, 'question', NEW.asker_id, NEW.id WHERE notification_wanted(NEW.asked_id, 'question', NEW.asker_id);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION notify_of_question() IS 'Notifies the user who is asked';
CREATE TRIGGER notify AFTER INSERT ON feedback_requests FOR EACH ROW WHEN (NEW.asked_id IS NOT NULL)
	EXECUTE FUNCTION notify_of_question();

-- VOLATILE, both: they must see what the statement that calls them has just written.
CREATE FUNCTION notification(p_id bigint) RETURNS SETOF notifications
LANGUAGE sql VOLATILE AS $$
	SELECT n.* FROM notifications n WHERE n.id = p_id
$$;
COMMENT ON FUNCTION notification(bigint) IS 'One notification, as it is after what this statement changed';
CREATE FUNCTION notifications_unread(p_user bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
	SELECT count(*) FROM notifications n WHERE n.user_id = p_user AND n.read_at IS NULL
$$;
COMMENT ON FUNCTION notifications_unread(bigint) IS 'How many notifications of the user are unread, after what this statement changed';

CREATE FUNCTION notifications_cut(p_user bigint, p_max bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('parlour notifications'), (p_user % 2147483647)::integer);	-- counts one at a time
	DELETE FROM notifications n WHERE n.user_id = p_user AND n.id <= (SELECT o.id FROM notifications o WHERE o.user_id = p_user
		ORDER BY o.id DESC OFFSET p_max LIMIT 1);
END $$;
COMMENT ON FUNCTION notifications_cut(bigint, bigint) IS 'Deletes all but the newest p_max notifications of a user. Callers go from lower to higher users, because it locks';

-- p_places: one text for each place of a mention: the names that may be meant, the longest first, with blanks between them,
-- then a tab and what follows the @. A display name of a role that is longer wins: "@Ann Bot" is not ann.
CREATE FUNCTION notify_message(p_room bigint, p_seq bigint, p_places text[], p_max bigint) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_message messages;
	v_new notifications;
BEGIN
	-- a crash of PostgreSQL may lose the row's end and the notifications, but only both; the clerk then repeats it
	PERFORM set_config('synchronous_commit', 'off', true);
	DELETE FROM notification_queue q WHERE q.room_id = p_room AND q.seq = p_seq;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT * INTO v_message FROM messages m WHERE m.room_id = p_room AND m.seq = p_seq AND m.deleted_at IS NULL;
	FOR v_new IN
		WITH mentioned AS (
			SELECT DISTINCT f.id FROM unnest(p_places) p (place), LATERAL (
				SELECT n.kind, n.id, n.name FROM unnest(string_to_array(split_part(p.place, E'\t', 1), ' ')) c (name)
				JOIN names n ON n.name = lower(c.name) ORDER BY length(c.name) DESC LIMIT 1) f
			WHERE f.kind = 'user' AND NOT EXISTS (SELECT FROM roles r WHERE (r.owner_id = v_message.author_id
					OR EXISTS (SELECT FROM room_roles rr WHERE rr.room_id = p_room AND rr.role_id = r.id))
				AND r.deleted_at IS NULL AND length(r.display_name) > length(f.name)
				AND starts_with(lower(split_part(p.place, E'\t', 2)), lower(r.display_name)))
		), receivers AS (
			SELECT m.id, 1 AS rank, 'mention' AS kind FROM mentioned m
			UNION ALL
			SELECT t.author_id, 2, 'reply' FROM messages t
			WHERE t.room_id = p_room AND t.seq = v_message.reply_to AND t.author_kind = 'user'
		), made AS (
			INSERT INTO notifications (user_id, kind, actor_id, room_id, seq, announced)
			SELECT DISTINCT ON (r.id) r.id, r.kind, v_message.author_id, p_room, p_seq, true
			FROM receivers r JOIN members m ON m.room_id = p_room AND m.user_id = r.id
			WHERE v_message.seq IS NOT NULL AND notification_wanted(r.id, r.kind, v_message.author_id)
			ORDER BY r.id, r.rank
			ON CONFLICT DO NOTHING RETURNING *
		)
		SELECT m.* FROM made m ORDER BY m.user_id
	LOOP
		PERFORM notifications_cut(v_new.user_id, p_max);
		RETURN NEXT v_new.id;
	END LOOP;
END $$;
COMMENT ON FUNCTION notify_message(bigint, bigint, text[], bigint) IS 'Notifies the members whom a message mentions, and the author of the message that it answers; once. Gives the new notifications. p_max: setting notifications_per_user';

CREATE FUNCTION notifications_announce(p_limit integer, p_max bigint) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_new notifications;
BEGIN
	FOR v_new IN
		WITH told AS (UPDATE notifications n SET announced = true WHERE n.id IN (SELECT o.id FROM notifications o
			WHERE NOT o.announced ORDER BY o.id LIMIT p_limit FOR UPDATE SKIP LOCKED) RETURNING n.*)
		SELECT t.* FROM told t ORDER BY t.user_id, t.id
	LOOP
		PERFORM notifications_cut(v_new.user_id, p_max);
		RETURN NEXT v_new.id;
	END LOOP;
END $$;
COMMENT ON FUNCTION notifications_announce(integer, bigint) IS 'Gives notifications that were not sent to sockets yet, once. p_max: setting notifications_per_user';

CREATE FUNCTION notifications_read(p_user bigint, p_id bigint, p_up_to bigint)
RETURNS TABLE (status text, unread bigint)
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE notifications n SET read_at = clock_timestamp()
		WHERE n.user_id = p_user AND n.read_at IS NULL AND (n.id = p_id OR n.id <= p_up_to);
	RETURN QUERY SELECT CASE WHEN p_id IS NULL OR EXISTS (SELECT FROM notifications n WHERE n.id = p_id AND n.user_id = p_user)
		THEN 'ok' ELSE 'not_found' END, notifications_unread(p_user);
END $$;
COMMENT ON FUNCTION notifications_read(bigint, bigint, bigint) IS 'Marks a notification of the user, or all up to p_up_to, as read: ok, not_found; and how many are unread';

CREATE FUNCTION notifications_purge(p_keep_us bigint, p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH lost AS (
		DELETE FROM notification_queue q WHERE q.created_at < now() - p_keep_us * interval '1 us'
	), gone AS (
		DELETE FROM notifications n WHERE n.id = ANY (ARRAY(SELECT o.id FROM (SELECT i.id, i.created_at FROM notifications i
			ORDER BY i.id LIMIT p_limit) o WHERE o.created_at < now() - p_keep_us * interval '1 us')) RETURNING 1
	)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION notifications_purge(bigint, integer) IS 'Deletes notifications that are older than setting notifications_keep; gives how many';
