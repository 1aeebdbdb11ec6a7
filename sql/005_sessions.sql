-- SPDX-License-Identifier: ISC
-- Sessions: chats with the chatbot, guided forms, and usage sessions that were imported. One table, told apart by kind.

CREATE TABLE sessions (
	id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	kind          text NOT NULL CHECK (kind IN ('chat', 'guided', 'usage')),
	user_id       bigint REFERENCES users ON DELETE CASCADE,
	guest         boolean NOT NULL DEFAULT false,
	source        text,
	external_id   text CHECK (length(external_id) BETWEEN 1 AND 128),
	developer     text CHECK (length(developer) BETWEEN 1 AND 128),
	form          text,
	requested_slot text,
	is_complete   boolean NOT NULL DEFAULT false,
	state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'ended', 'expired')),
	model         text,
	prompt_tokens bigint NOT NULL DEFAULT 0 CHECK (prompt_tokens >= 0),
	completion_tokens bigint NOT NULL DEFAULT 0 CHECK (completion_tokens >= 0),
	total_tokens  bigint NOT NULL DEFAULT 0 CHECK (total_tokens >= 0),
	cost_micros   bigint NOT NULL DEFAULT 0 CHECK (cost_micros >= 0),
	accepted_flag boolean,
	errors        integer NOT NULL DEFAULT 0,
	last_seq      bigint NOT NULL DEFAULT 0,
	started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	last_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
	ended_at      timestamptz,
	expires_at    timestamptz,
	meta          jsonb
);
CREATE UNIQUE INDEX sessions_external ON sessions (source, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX sessions_user ON sessions (user_id, started_at) WHERE user_id IS NOT NULL;
CREATE INDEX sessions_started ON sessions (started_at);
CREATE INDEX sessions_open ON sessions (expires_at) WHERE state = 'open';

COMMENT ON TABLE sessions IS 'Chats, guided forms and usage sessions; GET /api/sessions';
COMMENT ON COLUMN sessions.id IS 'Number; for a guest it is also the credential, so treat it like a password while the session is open';
COMMENT ON COLUMN sessions.kind IS 'chat: free talk; guided: a form is filled in; usage: a record of work with a model, imported';
COMMENT ON COLUMN sessions.user_id IS 'Who owns it; NULL: a guest, or imported';
COMMENT ON COLUMN sessions.guest IS 'Made without a login';
COMMENT ON COLUMN sessions.source IS 'Where an imported session came from; NULL: made here';
COMMENT ON COLUMN sessions.external_id IS 'Its id in that source; unique within it';
COMMENT ON COLUMN sessions.developer IS 'Who did the work, as the source names them';
COMMENT ON COLUMN sessions.form IS 'Name of the guided form; NULL: none';
COMMENT ON COLUMN sessions.requested_slot IS 'Slot of the form that was asked for last; NULL: none';
COMMENT ON COLUMN sessions.is_complete IS 'All required slots of the form are filled';
COMMENT ON COLUMN sessions.state IS 'open, ended by somebody, or expired after its life';
COMMENT ON COLUMN sessions.model IS 'Model that answered last';
COMMENT ON COLUMN sessions.prompt_tokens IS 'Tokens read, summed over the session';
COMMENT ON COLUMN sessions.completion_tokens IS 'Tokens written, summed over the session';
COMMENT ON COLUMN sessions.total_tokens IS 'Both; of imported sessions often all that is known';
COMMENT ON COLUMN sessions.cost_micros IS 'Cost in millionths of a US dollar';
COMMENT ON COLUMN sessions.accepted_flag IS 'The result was taken (true), rejected (false), or nobody said (NULL)';
COMMENT ON COLUMN sessions.errors IS 'Answers that failed';
COMMENT ON COLUMN sessions.last_seq IS 'seq of its newest message';
COMMENT ON COLUMN sessions.started_at IS 'Begin; the timestamp of usage sessions';
COMMENT ON COLUMN sessions.last_at IS 'Newest message or change';
COMMENT ON COLUMN sessions.ended_at IS 'When it was ended or expired; NULL: open';
COMMENT ON COLUMN sessions.expires_at IS 'When it will expire; NULL: never (imported)';
COMMENT ON COLUMN sessions.meta IS 'What else the source told';

CREATE TABLE session_messages (
	session_id    uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
	seq           bigint NOT NULL,
	author        text NOT NULL CHECK (author IN ('user', 'assistant')),
	content       text NOT NULL,
	state         text NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'failed', 'cancelled', 'interrupted')),
	model         text,
	prompt_tokens bigint,
	completion_tokens bigint,
	citations     jsonb,
	created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (session_id, seq)
);
COMMENT ON TABLE session_messages IS 'What was said in a session, in order of seq';
COMMENT ON COLUMN session_messages.session_id IS 'Session';
COMMENT ON COLUMN session_messages.seq IS 'Place in the session, from 1, without gaps';
COMMENT ON COLUMN session_messages.author IS 'user: the person; assistant: the model, the form or the offline responder';
COMMENT ON COLUMN session_messages.content IS 'Text';
COMMENT ON COLUMN session_messages.state IS 'done, or how an answer ended before it was whole';
COMMENT ON COLUMN session_messages.model IS 'Model that wrote it; NULL: a person';
COMMENT ON COLUMN session_messages.prompt_tokens IS 'Tokens read for it; NULL: unknown';
COMMENT ON COLUMN session_messages.completion_tokens IS 'Tokens written; NULL: unknown';
COMMENT ON COLUMN session_messages.citations IS 'Pieces of the knowledge base it was given: [{document, title, from, to}]';
COMMENT ON COLUMN session_messages.created_at IS 'When it was stored';

CREATE TABLE session_slots (
	session_id    uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
	name          text NOT NULL,
	value         text,
	sealed        bytea,
	raw           text,
	tries         integer NOT NULL DEFAULT 0,
	collected_at  timestamptz,
	PRIMARY KEY (session_id, name)
);
COMMENT ON TABLE session_slots IS 'Values that a guided form collected';
COMMENT ON COLUMN session_slots.session_id IS 'Session';
COMMENT ON COLUMN session_slots.name IS 'Slot of the form';
COMMENT ON COLUMN session_slots.value IS 'Normalised value; NULL while it is missing, and always for sensitive slots';
COMMENT ON COLUMN session_slots.sealed IS 'Value of a sensitive slot, AES-256-GCM under the key ring outside the database';
COMMENT ON COLUMN session_slots.raw IS 'What the person wrote; NULL for sensitive slots';
COMMENT ON COLUMN session_slots.tries IS 'Answers that did not pass the slot''s check';
COMMENT ON COLUMN session_slots.collected_at IS 'When the value was taken; NULL: missing';
