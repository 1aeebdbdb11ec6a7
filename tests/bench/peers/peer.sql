-- SPDX-License-Identifier: ISC
-- What the peers keep: as much of the daemon's schema as the measured requests need, with the same content.
CREATE TABLE users (id bigserial PRIMARY KEY, username text UNIQUE);
CREATE TABLE rooms (id bigserial PRIMARY KEY, visibility text NOT NULL);
CREATE TABLE members (room_id bigint, user_id bigint, PRIMARY KEY (room_id, user_id));
CREATE TABLE messages (
	id bigserial PRIMARY KEY,
	room_id bigint NOT NULL,
	user_id bigint NOT NULL,
	client_id text NOT NULL DEFAULT gen_random_uuid()::text,
	content text NOT NULL,
	reply_to bigint,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON messages (room_id, id);
INSERT INTO users (username) SELECT 'bench' || i FROM generate_series(0, 31) i;
INSERT INTO rooms (visibility) SELECT 'public' FROM generate_series(1, 8);
INSERT INTO members (room_id, user_id) SELECT room, usr FROM generate_series(1, 8) room, generate_series(1, 32) usr;
INSERT INTO messages (room_id, user_id, content)
	SELECT room, 1 + i % 32, repeat('hello world ', 8) FROM generate_series(1, 60) i, generate_series(1, 8) room;
