-- SPDX-License-Identifier: ISC
-- Mails with unread notifications: once a day, at an hour of the user, of the kinds for which the user chose mail.

ALTER TABLE notification_settings DROP CONSTRAINT notification_settings_delivery_check;
ALTER TABLE notification_settings ADD CONSTRAINT notification_settings_delivery_check CHECK (delivery IN ('live', 'mail', 'off'));
COMMENT ON COLUMN notification_settings.delivery IS 'live: in the inbox, and sent to the sockets of the user; mail: like live, and in the daily mail while unread; off: not at all';

CREATE TABLE notification_digests (
	user_id   bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
	hour      smallint NOT NULL DEFAULT 8 CHECK (hour BETWEEN 0 AND 23),
	due_at    timestamptz,
	queued_on date,
	up_to     bigint NOT NULL DEFAULT 0
);
CREATE INDEX notification_digests_due ON notification_digests (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE notification_digests IS 'When users get their daily mail with unread notifications; without a row: never';
COMMENT ON COLUMN notification_digests.user_id IS 'User';
COMMENT ON COLUMN notification_digests.hour IS 'Hour of the day in the time zone of the user, or in UTC';
COMMENT ON COLUMN notification_digests.due_at IS 'When the next mail is due; NULL: never, because no kind is set to mail';
COMMENT ON COLUMN notification_digests.queued_on IS 'Day of the newest mail in the time zone of the user; there is no other one on that day';
COMMENT ON COLUMN notification_digests.up_to IS 'Newest notification that a mail took into account';

CREATE FUNCTION digest_zone(p_user bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_zone text := (SELECT u.timezone FROM users u WHERE u.id = p_user);
BEGIN
	PERFORM now() AT TIME ZONE v_zone;
	RETURN coalesce(v_zone, 'UTC');
EXCEPTION WHEN invalid_parameter_value THEN	-- a later tz database may lack it
	RETURN 'UTC';
END $$;
COMMENT ON FUNCTION digest_zone(bigint) IS 'Time zone of a user, or UTC';

CREATE FUNCTION digest_next(p_hour integer, p_zone text, p_after timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
	SELECT min(t.at) FROM (SELECT (((p_after AT TIME ZONE p_zone)::date + d.day) + make_interval(hours => p_hour)) AT TIME ZONE p_zone
		FROM generate_series(0, 2) d (day)) t (at) WHERE t.at > p_after
$$;
COMMENT ON FUNCTION digest_next(integer, text, timestamptz) IS 'The first time after p_after at which the clock of a time zone shows this hour';

-- The time of the next mail is computed when something of it changes, so that the clerk only looks at an index.
CREATE FUNCTION digest_plan(p_user bigint) RETURNS void
LANGUAGE sql AS $$
	UPDATE notification_digests d SET due_at = CASE WHEN EXISTS (SELECT FROM notification_settings s
		WHERE s.user_id = p_user AND s.delivery = 'mail') THEN digest_next(d.hour, digest_zone(p_user), clock_timestamp()) END
	WHERE d.user_id = p_user
$$;
COMMENT ON FUNCTION digest_plan(bigint) IS 'Computes when the next mail of a user is due';

CREATE FUNCTION digest_of_zone() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM digest_plan(NEW.id);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION digest_of_zone() IS 'Plans the mail of a user again who has another time zone';
CREATE TRIGGER digest AFTER UPDATE OF timezone ON users FOR EACH ROW WHEN (OLD.timezone IS DISTINCT FROM NEW.timezone)
	EXECUTE FUNCTION digest_of_zone();

DROP FUNCTION notification_settings_put(bigint, text[], text[]);
CREATE FUNCTION notification_settings_put(p_user bigint, p_replace boolean, p_hour integer, p_kinds text[], p_deliveries text[])
RETURNS text
LANGUAGE sql AS $$
	INSERT INTO notification_digests (user_id, hour) SELECT p_user, coalesce(p_hour, 8)
		ON CONFLICT (user_id) DO UPDATE SET hour = CASE WHEN p_replace THEN excluded.hour ELSE coalesce(p_hour, notification_digests.hour) END;
	INSERT INTO notification_settings (user_id, kind, delivery)
		SELECT p_user, k.kind, coalesce(k.delivery, 'live') FROM unnest(p_kinds, p_deliveries) k (kind, delivery)
		WHERE p_replace OR k.delivery IS NOT NULL ORDER BY k.kind
		ON CONFLICT (user_id, kind) DO UPDATE SET delivery = excluded.delivery;
	SELECT digest_plan(p_user);
	SELECT 'ok'
$$;
COMMENT ON FUNCTION notification_settings_put(bigint, boolean, integer, text[], text[]) IS 'Sets what the user wants of each of these kinds, and the hour of the daily mail. NULL: unchanged, or with p_replace the defaults live and 8';

CREATE FUNCTION notification_mails_off(p_user bigint) RETURNS text
LANGUAGE sql AS $$
	SELECT 1 FROM notification_digests d WHERE d.user_id = p_user FOR UPDATE;
	UPDATE notification_settings s SET delivery = 'live' WHERE s.user_id = p_user AND s.delivery = 'mail';
	SELECT digest_plan(p_user);
	SELECT 'ok'
$$;
COMMENT ON FUNCTION notification_mails_off(bigint) IS 'Ends the daily mails of a user: kinds that were set to mail are live. Nothing, if there is no such user';

-- What a mail counts: unread, of kinds that are set to mail now, and not of users who are blocked now.
CREATE FUNCTION digest_rows(p_user bigint, p_after bigint, p_up_to bigint) RETURNS SETOF notifications
LANGUAGE sql STABLE AS $$
	SELECT n.* FROM notifications n JOIN notification_settings s ON s.user_id = n.user_id AND s.kind = n.kind AND s.delivery = 'mail'
	WHERE n.user_id = p_user AND n.read_at IS NULL AND n.id > p_after AND n.id <= p_up_to
		AND NOT EXISTS (SELECT FROM blocks b WHERE b.user_id = p_user AND b.blocked_id = n.actor_id)
$$;
COMMENT ON FUNCTION digest_rows(bigint, bigint, bigint) IS 'Notifications from p_after (without it) to p_up_to that belong into a mail to the user';

CREATE FUNCTION digests_queue(p_limit integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v record;
	v_day date;
	v_newest bigint;
	v_count bigint := 0;
BEGIN
	FOR v IN SELECT d.user_id, d.hour, d.queued_on, d.up_to, digest_zone(d.user_id) AS zone FROM notification_digests d
		WHERE d.due_at <= clock_timestamp() ORDER BY d.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
	LOOP
		v_count := v_count + 1;
		v_day := (clock_timestamp() AT TIME ZONE v.zone)::date;
		UPDATE notification_digests d SET due_at = digest_next(v.hour, v.zone, clock_timestamp()) WHERE d.user_id = v.user_id;
		CONTINUE WHEN v.queued_on >= v_day;
		-- an older one may commit after a newer one
		SELECT max(r.id) INTO v_newest FROM digest_rows(v.user_id, v.up_to, 9223372036854775807) r
			WHERE r.created_at < clock_timestamp() - interval '30 seconds';
		CONTINUE WHEN v_newest IS NULL;
		INSERT INTO jobs (kind, key, lane, payload, give_up_at)
			SELECT 'digest', 'user ' || u.id || ' ' || v_day, mail_lane(u.email),
				jsonb_build_object('user', u.id, 'after', v.up_to, 'up_to', v_newest), clock_timestamp() + interval '12 hours'
			FROM users u WHERE u.id = v.user_id AND NOT u.disabled AND u.email_verified_at IS NOT NULL AND u.email IS NOT NULL
			ON CONFLICT DO NOTHING;
		CONTINUE WHEN NOT FOUND;
		UPDATE notification_digests d SET queued_on = v_day, up_to = v_newest WHERE d.user_id = v.user_id;
	END LOOP;
	RETURN v_count;
END $$;
COMMENT ON FUNCTION digests_queue(integer) IS 'Queues the mails that are due, at most one a day for each user, and none without unread notifications; gives how many users it looked at';

CREATE FUNCTION digest_make(p_job jobs, OUT action text, OUT lane text, OUT payload jsonb)
LANGUAGE plpgsql AS $$
DECLARE
	v_user users;
	v_lines jsonb;
	v_total bigint;
BEGIN
	action := 'drop';
	SELECT u.* INTO v_user FROM users u WHERE u.id = (p_job.payload ->> 'user')::bigint AND NOT u.disabled
		AND u.email_verified_at IS NOT NULL AND u.email IS NOT NULL;
	IF NOT FOUND OR p_job.give_up_at < clock_timestamp() THEN
		RETURN;
	END IF;
	SELECT sum(g.count), jsonb_agg(jsonb_strip_nulls(jsonb_build_object('kind', g.kind, 'actor', g.actor, 'room', g.room,
			'count', g.count)) ORDER BY g.newest DESC) FILTER (WHERE g.place <= 30)
		INTO v_total, v_lines
		FROM (SELECT n.kind, a.username AS actor, r.name AS room, count(*) AS count, max(n.id) AS newest,
			row_number() OVER (ORDER BY max(n.id) DESC) AS place
		FROM digest_rows(v_user.id, (p_job.payload ->> 'after')::bigint, (p_job.payload ->> 'up_to')::bigint) n
		LEFT JOIN users a ON a.id = n.actor_id
		LEFT JOIN rooms r ON r.id = n.room_id AND (r.visibility = 'public'
			OR EXISTS (SELECT FROM members m WHERE m.room_id = r.id AND m.user_id = n.user_id))
		GROUP BY n.kind, a.username, r.id, r.name) g;
	IF v_total IS NULL THEN
		RETURN;
	END IF;
	action := 'send';
	lane := p_job.lane;
	payload := jsonb_build_object('user', v_user.id, 'to', v_user.email, 'username', v_user.username, 'total', v_total, 'lines', v_lines);
END $$;
COMMENT ON FUNCTION digest_make(jobs) IS 'What a daily mail says now: who, where, and how often, never the text of a message. drop: everything was read, or the user no longer gets mail';

CREATE OR REPLACE FUNCTION jobs_claim(p_owner text, p_kinds text[], p_lane_max bigint[], p_lanes text[], p_limit integer,
	p_lease_us bigint)
RETURNS TABLE (id text, kind text, lane text, payload text, tries integer, request_id text, asker text, question text,
	context text, options text, on_timeout text, due_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	v jobs;
	v_request feedback_requests;
	v_made record;
	v_lane text;
	v_lanes text[] := p_lanes;
	v_full text[];
	v_taken integer := 0;
	v_send boolean;
	v_passed integer := 0;
BEGIN
	SELECT coalesce(array_agg(l.lane), '{}') INTO v_full FROM unnest(v_lanes) AS l (lane)
		WHERE (SELECT count(*) FROM unnest(v_lanes) AS m (lane) WHERE m.lane = l.lane)
			>= coalesce(p_lane_max[array_position(p_kinds, split_part(l.lane, ' ', 1))], 0);
	WHILE v_taken < p_limit LOOP
		SELECT j.* INTO v FROM jobs j
			WHERE j.state = 'waiting' AND j.due_at <= clock_timestamp() AND j.kind = ANY (p_kinds)
				AND j.kind || ' ' || j.lane <> ALL (v_full)
			ORDER BY j.due_at LIMIT 1 FOR UPDATE SKIP LOCKED;
		EXIT WHEN NOT FOUND;
		SELECT r.* INTO v_request FROM feedback_requests r WHERE r.id = v.request_id;
		IF v.request_id IS NOT NULL AND v_request.status NOT IN ('created', 'sent') THEN
			UPDATE jobs j SET state = 'dropped', finished_at = clock_timestamp() WHERE j.id = v.id;
			CONTINUE;
		END IF;
		IF v.kind IN ('account_mail', 'digest') THEN
			IF v.kind = 'digest' THEN
				SELECT m.* INTO v_made FROM digest_make(v) m;
			ELSE
				SELECT m.* INTO v_made FROM account_mail_make(v) m;
			END IF;
			v_send := v_made.action = 'send' AND v.kind || ' ' || v_made.lane <> ALL (v_full);
			IF v_made.action = 'wait' THEN
				UPDATE jobs j SET due_at = clock_timestamp() + interval '1 second' WHERE j.id = v.id;
			ELSIF v_made.action = 'drop' THEN
				UPDATE jobs j SET state = 'dropped', finished_at = clock_timestamp(), payload = '{}' WHERE j.id = v.id;
			ELSIF NOT v_send THEN		-- it has its lane now; a later claim makes another token
				DELETE FROM account_tokens t WHERE t.token_hash = sha256(convert_to(v_made.payload ->> 'token', 'UTF8'));
			END IF;
			IF NOT v_send THEN
				v_passed := v_passed + 1;
				IF v_passed >= 200 THEN		-- a flood of them must not hold up the claim
					PERFORM pg_notify('parlour_jobs', '');
					EXIT;
				END IF;
				CONTINUE;
			END IF;
			v.payload := v_made.payload;
			v.lane := v_made.lane;
		END IF;
		UPDATE jobs j SET state = 'running', owner = p_owner, tries = j.tries + 1, started_at = clock_timestamp(),
			due_at = clock_timestamp() + p_lease_us * interval '1 us' WHERE j.id = v.id;
		v_taken := v_taken + 1;
		v_lane := v.kind || ' ' || v.lane;
		v_lanes := v_lanes || v_lane;
		IF cardinality(array_positions(v_lanes, v_lane)) >= p_lane_max[array_position(p_kinds, v.kind)] THEN
			v_full := v_full || v_lane;
		END IF;
		RETURN QUERY SELECT v.id::text, v.kind, v.lane, v.payload::text, v.tries + 1, v.request_id::text,
			(SELECT u.username FROM users u WHERE u.id = v_request.asker_id), v_request.question,
			v_request.context::text, v_request.options::text, v_request.on_timeout, v_request.due_at;
	END LOOP;
END $$;
COMMENT ON COLUMN jobs.kind IS 'What to do: mail, slack, account_mail (a mail with a link about the account of its receiver), account_delete, digest (the daily mail with unread notifications)';
COMMENT ON COLUMN jobs.payload IS 'What the kind needs. mail: to, subject, body; the last two are absent when they are made from the feedback request, because its link is a secret. account_mail: what, and login until the account is looked up, then user; to: another address than that of the account; never the link. digest: user, and the notifications after and up_to which it is about; what it says is made when it is sent';

CREATE OR REPLACE FUNCTION account_mails_drop(p_user bigint, p_name text, p_email text, p_waiting boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_count bigint;
BEGIN
	DELETE FROM jobs j WHERE (j.state = 'waiting' OR NOT p_waiting) AND CASE j.kind
		WHEN 'mail' THEN j.request_id IS NULL AND j.session_id IS NULL AND lower(j.payload ->> 'to') = lower(p_email)
		WHEN 'account_mail' THEN j.payload ->> 'user' = p_user::text OR lower(j.payload ->> 'to') = lower(p_email)
			OR lower(j.payload ->> 'login') IN (lower(p_name), lower(p_email))
		WHEN 'digest' THEN j.payload ->> 'user' = p_user::text
		ELSE false END;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END $$;

-- One order of locks: the inbox of a user (lower ids first), then rows by id. notifications_announce() took rows of several
-- inboxes before the inboxes, so it could wait for notify_message(), which waited for one of the rows. Reading and deleting
-- took the rows of one inbox in any order.

CREATE FUNCTION notifications_lock(p_user bigint) RETURNS void
LANGUAGE sql AS $$
	SELECT pg_advisory_xact_lock(hashtext('parlour notifications'), (p_user % 2147483647)::integer)
$$;
COMMENT ON FUNCTION notifications_lock(bigint) IS 'Locks the inbox of a user until the end of the transaction; several from lower to higher users';

CREATE OR REPLACE FUNCTION notifications_cut(p_user bigint, p_max bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM notifications_lock(p_user);	-- counts one at a time
	DELETE FROM notifications n WHERE n.id = ANY (ARRAY(SELECT o.id FROM notifications o WHERE o.user_id = p_user AND o.id <= (
		SELECT i.id FROM notifications i WHERE i.user_id = p_user ORDER BY i.id DESC OFFSET p_max LIMIT 1)
		ORDER BY o.id FOR UPDATE));
END $$;

CREATE OR REPLACE FUNCTION notifications_announce(p_limit integer, p_max bigint) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
DECLARE
	v_ids bigint[];
	v_new notifications;
BEGIN
	v_ids := ARRAY(SELECT o.id FROM notifications o WHERE NOT o.announced ORDER BY o.id LIMIT p_limit);
	PERFORM notifications_lock(u.id) FROM (SELECT DISTINCT o.user_id AS id FROM notifications o WHERE o.id = ANY (v_ids) ORDER BY 1) u;
	FOR v_new IN
		WITH told AS (UPDATE notifications n SET announced = true WHERE n.id IN (SELECT o.id FROM notifications o
			WHERE o.id = ANY (v_ids) AND NOT o.announced ORDER BY o.id FOR UPDATE SKIP LOCKED) RETURNING n.*)
		SELECT t.* FROM told t ORDER BY t.user_id, t.id
	LOOP
		PERFORM notifications_cut(v_new.user_id, p_max);
		RETURN NEXT v_new.id;
	END LOOP;
END $$;

CREATE OR REPLACE FUNCTION notifications_read(p_user bigint, p_id bigint, p_up_to bigint)
RETURNS TABLE (status text, unread bigint)
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE notifications n SET read_at = clock_timestamp() WHERE n.id = ANY (ARRAY(SELECT o.id FROM notifications o
		WHERE o.user_id = p_user AND o.read_at IS NULL AND (o.id = p_id OR o.id <= p_up_to) ORDER BY o.id FOR UPDATE));
	RETURN QUERY SELECT CASE WHEN p_id IS NULL OR EXISTS (SELECT FROM notifications n WHERE n.id = p_id AND n.user_id = p_user)
		THEN 'ok' ELSE 'not_found' END, notifications_unread(p_user);
END $$;

CREATE OR REPLACE FUNCTION notifications_purge(p_keep_us bigint, p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
	WITH lost AS (
		DELETE FROM notification_queue q WHERE q.created_at < now() - p_keep_us * interval '1 us'
	), late AS (
		-- no courier claims them when there is no mail server any more
		UPDATE jobs j SET state = 'dropped', finished_at = clock_timestamp(), payload = '{}' WHERE j.id = ANY (ARRAY(SELECT s.id
			FROM jobs s WHERE s.kind = 'digest' AND s.state = 'waiting' AND s.give_up_at < clock_timestamp() LIMIT p_limit))
	), gone AS (
		DELETE FROM notifications n WHERE n.id = ANY (ARRAY(SELECT o.id FROM notifications o WHERE o.id = ANY (ARRAY(
			SELECT i.id FROM (SELECT x.id, x.created_at FROM notifications x ORDER BY x.id LIMIT p_limit) i
			WHERE i.created_at < now() - p_keep_us * interval '1 us')) ORDER BY o.id FOR UPDATE SKIP LOCKED)) RETURNING 1
	)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION notifications_purge(bigint, integer) IS 'Deletes notifications that are older than setting notifications_keep, gives how many, and drops daily mails that waited for too long';
