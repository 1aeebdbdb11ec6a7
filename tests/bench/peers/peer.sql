-- SPDX-License-Identifier: ISC
-- What the peers keep: the least that the measured requests need. ROOMS rooms of PAGE messages, as the daemon has.
CREATE TABLE users (id bigserial PRIMARY KEY, username text UNIQUE);
CREATE TABLE messages (
	id bigserial PRIMARY KEY,
	room_id bigint NOT NULL,
	user_id bigint NOT NULL,
	content text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON messages (room_id, id);
INSERT INTO users (username) SELECT 'u' || i FROM generate_series(1, 100) i;
INSERT INTO messages (room_id, user_id, content)
	SELECT room, 1 + i % 32, repeat('hello world ', 8) FROM generate_series(1, 60) i, generate_series(1, 8) room;
