-- SPDX-License-Identifier: ISC
-- A message whose worker died before it asked the roles is asked about when its client sends it again: each role answers a
-- message once, whoever asks.

CREATE INDEX generations_reply ON generations (room_id, role_id, reply_to_seq);
COMMENT ON INDEX generations_reply IS 'Whether a role was asked about a message';

DROP FUNCTION generation_begin(uuid, bigint, bigint, bigint, bigint, text, text, text, bigint, integer, bigint);
CREATE FUNCTION generation_begin(p_id uuid, p_room bigint, p_role bigint, p_asker bigint, p_reply_to bigint,
	p_upstream text, p_model text, p_host text, p_boot bigint, p_slot integer, p_slot_generation bigint,
	p_again boolean DEFAULT false)
RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM room_roles rr WHERE rr.room_id = p_room AND rr.role_id = p_role)
		AND NOT EXISTS (SELECT FROM roles r WHERE r.id = p_role AND r.owner_id = p_asker AND r.deleted_at IS NULL) THEN
		RETURN 'not_found';
	END IF;
	IF p_again AND (EXISTS (SELECT FROM messages m WHERE m.room_id = p_room AND m.seq = p_reply_to AND m.deleted_at IS NOT NULL)
		OR EXISTS (SELECT FROM generations g WHERE g.room_id = p_room AND g.role_id = p_role
			AND g.reply_to_seq > p_reply_to)
		OR EXISTS (SELECT FROM generations g WHERE g.room_id = p_room AND g.role_id = p_role
			AND g.state IN ('queued', 'running') AND g.follow_up_seq >= p_reply_to)) THEN
		RETURN 'busy';
	END IF;
	FOR attempt IN 1..10 LOOP
		IF EXISTS (SELECT FROM generations g WHERE g.room_id = p_room AND g.role_id = p_role
				AND g.reply_to_seq = p_reply_to) THEN
			RETURN 'busy';
		END IF;
		INSERT INTO generations (id, room_id, role_id, asker_id, reply_to_seq, state, upstream, model, host, boot, slot,
			slot_generation, started_at)
		VALUES (p_id, p_room, p_role, p_asker, p_reply_to, 'running', p_upstream, p_model, p_host, p_boot, p_slot,
			p_slot_generation, clock_timestamp())
		ON CONFLICT DO NOTHING;
		IF FOUND THEN
			RETURN 'ok';
		END IF;
		UPDATE generations g SET follow_up_seq = p_reply_to, follow_up_asker = p_asker
		WHERE g.room_id = p_room AND g.role_id = p_role AND g.state IN ('queued', 'running')
			AND g.reply_to_seq <> p_reply_to AND coalesce(g.follow_up_seq, 0) <= p_reply_to;
		IF FOUND OR EXISTS (SELECT FROM generations g WHERE g.room_id = p_room AND g.role_id = p_role
			AND g.state IN ('queued', 'running')) THEN
			RETURN 'busy';
		END IF;	-- it ended in between: the place is free now
	END LOOP;
	RETURN 'busy';
END $$;
COMMENT ON FUNCTION generation_begin(uuid, bigint, bigint, bigint, bigint, text, text, text, bigint, integer, bigint, boolean) IS 'Takes the place of (room, role): ok, busy (it runs already, and this is noted as its follow-up; or the role was asked about this message before), not_found (role neither attached nor the asker''s own). p_again: the message is not new, so nothing either if the role was asked about a later one';
