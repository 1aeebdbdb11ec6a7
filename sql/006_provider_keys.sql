-- SPDX-License-Identifier: ISC
-- Users' own keys for providers of models, sealed with a key that lies outside the database.

CREATE TABLE provider_keys (
	user_id       bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	provider      text NOT NULL CHECK (provider IN ('openai', 'anthropic', 'openrouter')),
	sealed        bytea NOT NULL,
	created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (user_id, provider)
);
COMMENT ON TABLE provider_keys IS 'Keys that users gave for their own questions; GET /api/provider-keys';
COMMENT ON COLUMN provider_keys.user_id IS 'Whose key it is';
COMMENT ON COLUMN provider_keys.provider IS 'Whom it is for; upstreams with this setting provider use it';
COMMENT ON COLUMN provider_keys.sealed IS 'The key, AES-256-GCM under the key ring (setting seal_keys), bound to user and provider';
COMMENT ON COLUMN provider_keys.created_at IS 'When the first key was stored';
COMMENT ON COLUMN provider_keys.updated_at IS 'When this key was stored';
