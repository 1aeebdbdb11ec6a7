-- SPDX-License-Identifier: ISC
-- Users turn kinds of notifications off.

CREATE TABLE notification_settings (
	user_id  bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	kind     text NOT NULL CHECK (kind IN ('mention', 'reply', 'added', 'invite', 'question')),
	delivery text NOT NULL CHECK (delivery IN ('live', 'off')),
	PRIMARY KEY (user_id, kind)
);
COMMENT ON TABLE notification_settings IS 'Which kinds of notifications users want; without a row: live';
COMMENT ON COLUMN notification_settings.user_id IS 'User';
COMMENT ON COLUMN notification_settings.kind IS 'Kind, as in notifications.kind';
COMMENT ON COLUMN notification_settings.delivery IS 'live: in the inbox, and sent to the sockets of the user; off: not at all';

CREATE OR REPLACE FUNCTION notification_wanted(p_user bigint, p_kind text, p_actor bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT p_user <> p_actor AND EXISTS (SELECT FROM users u WHERE u.id = p_user AND NOT u.disabled)
		AND NOT EXISTS (SELECT FROM blocks b WHERE b.user_id = p_user AND b.blocked_id = p_actor)
		AND NOT EXISTS (SELECT FROM notification_settings s WHERE s.user_id = p_user AND s.kind = p_kind AND s.delivery = 'off')
$$;
COMMENT ON FUNCTION notification_wanted(bigint, text, bigint) IS 'Does this user want a notification of this kind because of p_actor? Not of what the user does, not of blocked users, and not of a kind that the user turned off';

CREATE FUNCTION notification_settings_put(p_user bigint, p_kinds text[], p_deliveries text[]) RETURNS text
LANGUAGE sql AS $$
	INSERT INTO notification_settings (user_id, kind, delivery)
		SELECT p_user, k.kind, coalesce(k.delivery, 'live') FROM unnest(p_kinds, p_deliveries) k (kind, delivery) ORDER BY k.kind
		ON CONFLICT (user_id, kind) DO UPDATE SET delivery = excluded.delivery;
	SELECT 'ok'
$$;
COMMENT ON FUNCTION notification_settings_put(bigint, text[], text[]) IS 'Sets what the user wants of each of these kinds; NULL: live';
