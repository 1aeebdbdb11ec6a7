-- SPDX-License-Identifier: ISC
-- Tables of Parlour. Written to be read in psql: \d+ messages shows what each column is for.
-- Run by `parlourctl migrate`; each file is one transaction.

CREATE FUNCTION name_ok(p_name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT p_name ~ '^[A-Za-z0-9_.-]{1,32}$'
		AND p_name !~ '^[0-9]+$'
		AND p_name !~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
		AND lower(p_name) <> ALL (ARRAY['chat', 'signaling', 'metrics', 'sessions', 'echo', 'me', 'all', 'everyone',
			'here', 'system', 'parlour', 'local'])
$$;
COMMENT ON FUNCTION name_ok(text) IS 'Rule for names of users and roles: 1-32 of letters, digits, _ . -; not all digits, not shaped like a UUID, no reserved word';

CREATE TABLE users (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	username      text NOT NULL CHECK (name_ok(username)),
	email         text CHECK (length(email) BETWEEN 3 AND 254),
	name          text CHECK (length(name) BETWEEN 1 AND 128),
	password_hash text,
	access        text NOT NULL DEFAULT 'user' CHECK (access IN ('user', 'analyst', 'operator', 'admin')),
	disabled      boolean NOT NULL DEFAULT false,
	created_at    timestamptz NOT NULL DEFAULT now(),
	updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username ON users (lower(username));
CREATE UNIQUE INDEX users_email ON users (lower(email));
COMMENT ON TABLE users IS 'People with an account';
COMMENT ON COLUMN users.id IS 'Number of the account; sub of tokens';
COMMENT ON COLUMN users.username IS 'Name to log in with and to be mentioned by (@name); unique regardless of case, also among roles';
COMMENT ON COLUMN users.email IS 'E-mail address; unique regardless of case; NULL when not given';
COMMENT ON COLUMN users.name IS 'Full name for display; NULL when not given';
COMMENT ON COLUMN users.password_hash IS 'Argon2id (or imported bcrypt) in encoded form; NULL: no login by password';
COMMENT ON COLUMN users.access IS 'What the account may do on the whole server: user, analyst, operator, admin';
COMMENT ON COLUMN users.disabled IS 'No login any more; login sessions were ended';
COMMENT ON COLUMN users.created_at IS 'When the account was made';
COMMENT ON COLUMN users.updated_at IS 'When a column other than password_hash last changed';

CREATE TABLE names (
	name text PRIMARY KEY CHECK (name = lower(name) AND name_ok(name)),
	kind text NOT NULL CHECK (kind IN ('user', 'role')),
	id   bigint NOT NULL,
	UNIQUE (kind, id)
);
COMMENT ON TABLE names IS 'The one namespace of users and roles, so that @name means one of them';
COMMENT ON COLUMN names.name IS 'The name in lower case';
COMMENT ON COLUMN names.kind IS 'user or role';
COMMENT ON COLUMN names.id IS 'users.id or roles.id';

CREATE TABLE login_sessions (
	id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id         bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	refresh_counter bigint NOT NULL DEFAULT 1,
	rotated_at      timestamptz,
	seen_counter    bigint NOT NULL DEFAULT 0,
	created_at      timestamptz NOT NULL DEFAULT now(),
	last_used_at    timestamptz NOT NULL DEFAULT now(),
	expires_at      timestamptz NOT NULL,
	ended_at        timestamptz,
	end_reason      text,
	user_agent      text,
	address         text
);
CREATE INDEX login_sessions_user ON login_sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX login_sessions_ended ON login_sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX login_sessions_expires ON login_sessions (expires_at);
COMMENT ON TABLE login_sessions IS 'What a login makes; refresh tokens are {id, refresh_counter}, signed, without a row of their own';
COMMENT ON COLUMN login_sessions.id IS 'sid of tokens';
COMMENT ON COLUMN login_sessions.user_id IS 'Whose it is';
COMMENT ON COLUMN login_sessions.refresh_counter IS 'The one counter whose refresh token is good now';
COMMENT ON COLUMN login_sessions.rotated_at IS 'When refresh_counter last went up; starts the reuse window';
COMMENT ON COLUMN login_sessions.seen_counter IS 'Highest counter of an access token that was used: proof that the client saved that reply';
COMMENT ON COLUMN login_sessions.created_at IS 'When the login happened';
COMMENT ON COLUMN login_sessions.last_used_at IS 'Last refresh';
COMMENT ON COLUMN login_sessions.expires_at IS 'End of the refresh token''s life';
COMMENT ON COLUMN login_sessions.ended_at IS 'When it was ended before its time; NULL: alive until expires_at';
COMMENT ON COLUMN login_sessions.end_reason IS 'logout, password, disabled, refresh reuse ...';
COMMENT ON COLUMN login_sessions.user_agent IS 'User-Agent of the login';
COMMENT ON COLUMN login_sessions.address IS 'Client address of the login';

CREATE TABLE roles (
	id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	owner_id     bigint REFERENCES users ON DELETE SET NULL,
	name         text NOT NULL CHECK (name_ok(name)),
	instructions text NOT NULL DEFAULT '',
	upstream     text,
	model        text,
	temperature  double precision CHECK (temperature BETWEEN 0 AND 2),
	max_tokens   integer CHECK (max_tokens > 0),
	created_at   timestamptz NOT NULL DEFAULT now(),
	updated_at   timestamptz NOT NULL DEFAULT now(),
	deleted_at   timestamptz
);
CREATE INDEX roles_owner ON roles (owner_id) WHERE deleted_at IS NULL;
COMMENT ON TABLE roles IS 'AI characters that take part in rooms';
COMMENT ON COLUMN roles.id IS 'Number of the role';
COMMENT ON COLUMN roles.owner_id IS 'Who made it and may change it; NULL: the system or a user who is gone';
COMMENT ON COLUMN roles.name IS 'Name to be mentioned by (@name)';
COMMENT ON COLUMN roles.instructions IS 'System prompt';
COMMENT ON COLUMN roles.upstream IS 'Name of the [llm NAME] section, or local; NULL: the daemon''s default';
COMMENT ON COLUMN roles.model IS 'Model at that upstream; NULL: the upstream''s default';
COMMENT ON COLUMN roles.temperature IS 'Sampling temperature; NULL: not sent';
COMMENT ON COLUMN roles.max_tokens IS 'Longest answer in tokens; NULL: not sent';
COMMENT ON COLUMN roles.created_at IS 'When it was made';
COMMENT ON COLUMN roles.updated_at IS 'When it was last changed';
COMMENT ON COLUMN roles.deleted_at IS 'Deleted: hidden and detached, kept because old messages show its name';

CREATE TABLE rooms (
	id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
	owner_id     bigint REFERENCES users ON DELETE SET NULL,
	visibility   text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public', 'private')),
	reply_policy text CHECK (reply_policy IN ('off', 'mention', 'all')),
	last_seq     bigint NOT NULL DEFAULT 0,
	last_at      timestamptz NOT NULL DEFAULT now(),
	epoch        bigint NOT NULL DEFAULT 1,
	archived     boolean NOT NULL DEFAULT false,
	created_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE INDEX rooms_owner ON rooms (owner_id);
CREATE INDEX rooms_public ON rooms (id) WHERE visibility = 'public';
COMMENT ON TABLE rooms IS 'Rooms. A room is a log: messages and room_changes share one dense seq. Half-filled pages keep the update of last_seq cheap (HOT)';
COMMENT ON COLUMN rooms.id IS 'Number of the room';
COMMENT ON COLUMN rooms.name IS 'Title';
COMMENT ON COLUMN rooms.owner_id IS 'Who made it; NULL: the system or a user who is gone. Who owns it now: members.level';
COMMENT ON COLUMN rooms.visibility IS 'public: anybody may read and join; private: does not exist for strangers';
COMMENT ON COLUMN rooms.reply_policy IS 'When roles answer: off, mention, all; NULL: all with exactly one role, else mention';
COMMENT ON COLUMN rooms.last_seq IS 'Highest seq given out; every number up to it is in messages or room_changes';
COMMENT ON COLUMN rooms.last_at IS 'Time of that entry; times never fall within a room';
COMMENT ON COLUMN rooms.epoch IS 'Goes up when a restore from backup is declared: clients then forget their positions';
COMMENT ON COLUMN rooms.archived IS 'Read only';
COMMENT ON COLUMN rooms.created_at IS 'When it was made';

CREATE TABLE members (
	room_id   bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
	user_id   bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	level     text NOT NULL DEFAULT 'member' CHECK (level IN ('member', 'moderator', 'owner')),
	joined_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (room_id, user_id)
);
CREATE INDEX members_user ON members (user_id, room_id);
COMMENT ON TABLE members IS 'Who is in which room';
COMMENT ON COLUMN members.room_id IS 'Room';
COMMENT ON COLUMN members.user_id IS 'User';
COMMENT ON COLUMN members.level IS 'What the user may do in this room: member, moderator, owner';
COMMENT ON COLUMN members.joined_at IS 'When the user came in';

CREATE TABLE room_roles (
	room_id     bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
	role_id     bigint NOT NULL REFERENCES roles ON DELETE CASCADE,
	attached_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (room_id, role_id)
);
CREATE INDEX room_roles_role ON room_roles (role_id);
COMMENT ON TABLE room_roles IS 'Which roles take part in which room';
COMMENT ON COLUMN room_roles.room_id IS 'Room';
COMMENT ON COLUMN room_roles.role_id IS 'Role';
COMMENT ON COLUMN room_roles.attached_at IS 'When it was attached';

CREATE TABLE messages (
	room_id       bigint NOT NULL,
	seq           bigint NOT NULL,
	author_id     bigint NOT NULL,
	reply_to      bigint,
	created_at    timestamptz NOT NULL,
	edited_at     timestamptz,
	deleted_at    timestamptz,
	generation_id uuid,
	author_kind   text NOT NULL CHECK (author_kind IN ('user', 'role', 'system')),
	client_id     text NOT NULL,
	content       text NOT NULL,
	meta          jsonb,
	PRIMARY KEY (room_id, seq),
	UNIQUE (room_id, author_kind, author_id, client_id)
);
CREATE INDEX messages_generation ON messages (generation_id) WHERE generation_id IS NOT NULL;
COMMENT ON TABLE messages IS 'Messages as they are now. Without a foreign key to rooms: only functions that hold the room''s row write here, and room_delete() removes them';
COMMENT ON COLUMN messages.room_id IS 'Room';
COMMENT ON COLUMN messages.seq IS 'Place in the room''s log, dense together with room_changes; (room_id, seq) is the address of a message';
COMMENT ON COLUMN messages.author_id IS 'users.id or roles.id; 0 for the system';
COMMENT ON COLUMN messages.reply_to IS 'seq of the message this one answers; NULL: none';
COMMENT ON COLUMN messages.created_at IS 'When it was stored; never falls within a room';
COMMENT ON COLUMN messages.edited_at IS 'When the content was last replaced; NULL: never';
COMMENT ON COLUMN messages.deleted_at IS 'When the content was removed (it is empty then); NULL: not deleted';
COMMENT ON COLUMN messages.generation_id IS 'generations.id of a model''s answer; NULL: written by a person';
COMMENT ON COLUMN messages.author_kind IS 'user, role or system';
COMMENT ON COLUMN messages.client_id IS 'Id that the sender gave: sending it again stores nothing twice';
COMMENT ON COLUMN messages.content IS 'Text, at most 64 KiB';
COMMENT ON COLUMN messages.meta IS 'Model, token counts and the like; NULL: none';

CREATE TABLE room_changes (
	room_id    bigint NOT NULL,
	seq        bigint NOT NULL,
	target_seq bigint,
	actor_id   bigint NOT NULL,
	created_at timestamptz NOT NULL,
	actor_kind text NOT NULL CHECK (actor_kind IN ('user', 'role', 'system')),
	kind       text NOT NULL CHECK (kind IN ('joined', 'left', 'member_level', 'role_attached', 'role_detached',
		'room_changed', 'edited', 'deleted')),
	body       jsonb,
	PRIMARY KEY (room_id, seq)
);
COMMENT ON TABLE room_changes IS 'Everything in a room''s log that is no message';
COMMENT ON COLUMN room_changes.room_id IS 'Room';
COMMENT ON COLUMN room_changes.seq IS 'Place in the room''s log, dense together with messages';
COMMENT ON COLUMN room_changes.target_seq IS 'seq of the message it is about; NULL: about none';
COMMENT ON COLUMN room_changes.actor_id IS 'Who did it: users.id or roles.id; 0 for the system';
COMMENT ON COLUMN room_changes.created_at IS 'When; never falls within a room';
COMMENT ON COLUMN room_changes.actor_kind IS 'user, role or system';
COMMENT ON COLUMN room_changes.kind IS 'joined, left, member_level, role_attached, role_detached, room_changed, edited, deleted';
COMMENT ON COLUMN room_changes.body IS 'What changed: {user_id, username, level} for members, {role_id, name} for roles, the new fields for room_changed, {content} for edited';

CREATE TABLE generations (
	id                uuid PRIMARY KEY,
	room_id           bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
	role_id           bigint NOT NULL REFERENCES roles ON DELETE CASCADE,
	asker_id          bigint NOT NULL,
	reply_to_seq      bigint,
	state             text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
	host              text NOT NULL,
	boot              bigint NOT NULL,
	slot              integer NOT NULL,
	slot_generation   bigint NOT NULL,
	upstream          text,
	model             text,
	prompt_tokens     bigint,
	completion_tokens bigint,
	error_code        text,
	answer_seq        bigint,
	partial           text,
	follow_up_seq     bigint,
	follow_up_asker   bigint,
	created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
	started_at        timestamptz,
	first_text_at     timestamptz,
	ended_at          timestamptz
);
CREATE UNIQUE INDEX generations_one_per_role ON generations (room_id, role_id) WHERE state IN ('queued', 'running');
CREATE INDEX generations_running ON generations (host) WHERE state IN ('queued', 'running');
CREATE INDEX generations_room ON generations (room_id, created_at);
CREATE INDEX generations_created ON generations (created_at);
COMMENT ON TABLE generations IS 'Answers of models, as jobs: each outlives the connection that asked for it';
COMMENT ON COLUMN generations.id IS 'UUID, also in messages.generation_id';
COMMENT ON COLUMN generations.room_id IS 'Room it answers in';
COMMENT ON COLUMN generations.role_id IS 'Role that answers';
COMMENT ON COLUMN generations.asker_id IS 'User whose message triggered it; 0: nobody';
COMMENT ON COLUMN generations.reply_to_seq IS 'That message';
COMMENT ON COLUMN generations.state IS 'queued, running, done, failed, cancelled, interrupted; at most one queued or running per room and role';
COMMENT ON COLUMN generations.host IS 'Host whose daemon runs it';
COMMENT ON COLUMN generations.boot IS 'Run of that daemon (random per start)';
COMMENT ON COLUMN generations.slot IS 'Worker slot that runs it';
COMMENT ON COLUMN generations.slot_generation IS 'How often that slot had been started: tells a process from its successor';
COMMENT ON COLUMN generations.upstream IS 'Upstream that was asked';
COMMENT ON COLUMN generations.model IS 'Model that answered';
COMMENT ON COLUMN generations.prompt_tokens IS 'Tokens of the question; NULL: unknown';
COMMENT ON COLUMN generations.completion_tokens IS 'Tokens of the answer; NULL: unknown';
COMMENT ON COLUMN generations.error_code IS 'Why it failed (errors of parlour-api(7))';
COMMENT ON COLUMN generations.answer_seq IS 'seq of the answer in the room; NULL: no answer was stored';
COMMENT ON COLUMN generations.partial IS 'Text so far, when it ended without an answer in the room';
COMMENT ON COLUMN generations.follow_up_seq IS 'Newest message that asked while this one ran: it is answered next';
COMMENT ON COLUMN generations.follow_up_asker IS 'Author of that message';
COMMENT ON COLUMN generations.created_at IS 'When it was asked for';
COMMENT ON COLUMN generations.started_at IS 'When the upstream was asked';
COMMENT ON COLUMN generations.first_text_at IS 'When the first text came';
COMMENT ON COLUMN generations.ended_at IS 'When it ended';

CREATE TABLE idempotency_keys (
	user_id     bigint NOT NULL,
	route       text NOT NULL,
	key         text NOT NULL,
	body_sha256 bytea NOT NULL,
	status      integer,
	body        text,
	location    text,
	created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (user_id, route, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
COMMENT ON TABLE idempotency_keys IS 'Idempotency-Key headers of the last 24 hours and the replies they got';
COMMENT ON COLUMN idempotency_keys.user_id IS 'Who sent it; 0: nobody logged in';
COMMENT ON COLUMN idempotency_keys.route IS 'Method and route';
COMMENT ON COLUMN idempotency_keys.key IS 'The header''s value';
COMMENT ON COLUMN idempotency_keys.body_sha256 IS 'SHA-256 of the request body: the same key with another body is refused';
COMMENT ON COLUMN idempotency_keys.status IS 'HTTP status of the reply; NULL: still running';
COMMENT ON COLUMN idempotency_keys.body IS 'Body of the reply';
COMMENT ON COLUMN idempotency_keys.location IS 'Location header of the reply';
COMMENT ON COLUMN idempotency_keys.created_at IS 'When the key was taken';

CREATE TABLE limit_hits (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	class      text NOT NULL,
	user_id    bigint,
	address    text,
	count      bigint NOT NULL,
	first_at   timestamptz NOT NULL,
	last_at    timestamptz NOT NULL
);
CREATE INDEX limit_hits_last ON limit_hits (last_at);
COMMENT ON TABLE limit_hits IS 'Requests refused by rate limits, gathered every 10 seconds';
COMMENT ON COLUMN limit_hits.id IS 'Number';
COMMENT ON COLUMN limit_hits.class IS 'Rate class: login, ask, channel, send, read ...';
COMMENT ON COLUMN limit_hits.user_id IS 'Who was refused; NULL: not logged in';
COMMENT ON COLUMN limit_hits.address IS 'From where';
COMMENT ON COLUMN limit_hits.count IS 'How many refusals';
COMMENT ON COLUMN limit_hits.first_at IS 'The first of them';
COMMENT ON COLUMN limit_hits.last_at IS 'The last of them';

CREATE TABLE audit (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	actor_id   bigint NOT NULL,
	action     text NOT NULL,
	target     text,
	address    text,
	request_id text,
	body       jsonb,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_actor ON audit (actor_id, id);
COMMENT ON TABLE audit IS 'Who did what to accounts, rooms and settings; only ever added to';
COMMENT ON COLUMN audit.id IS 'Number';
COMMENT ON COLUMN audit.actor_id IS 'users.id; 0: the system';
COMMENT ON COLUMN audit.action IS 'login, refresh reuse, user disabled ...';
COMMENT ON COLUMN audit.target IS 'To what, such as user:7; NULL: nothing in particular';
COMMENT ON COLUMN audit.address IS 'Client address';
COMMENT ON COLUMN audit.request_id IS 'X-Request-Id, for parlourctl why and the log';
COMMENT ON COLUMN audit.body IS 'Details; never a secret';
COMMENT ON COLUMN audit.created_at IS 'When';
