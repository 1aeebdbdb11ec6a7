/* SPDX-License-Identifier: ISC */
/*
 * The settings of settings.def as a struct, and the configuration that holds them.
 *
 * A configuration is immutable and counted: a reload makes a new one and swaps the pointer; running work keeps the one
 * it started with. A function that gets one as an argument may use it until it returns. Code that needs it longer takes
 * a hold: with config_keep() if the holder is in a pool.
 */
#ifndef CORE_SETTINGS_H
#define CORE_SETTINGS_H

#include "blocklist.h"
#include "cfg.h"
#include "keyring.h"

/*
 * Each struct member that points to a configuration, or into one (its settings, an upstream's section), begins with one
 * of these words; tests/lint/holds.py checks this and the assignments. HELD: the struct has a hold, so the pointer is
 * valid as long as the struct. A pointer into a configuration may be HELD if the struct also holds the configuration.
 * BORROWED: an argument in a struct; valid until the called function returns.
 */
#define CONFIG_HELD
#define CONFIG_BORROWED

/* Database connections that are always open: 2 per worker, 1 each for the clerk and the courier. */
#define SETTINGS_DB_HELD(workers) (2 * (workers) + 2)

#define SETTING_C_BOOL bool
#define SETTING_C_INT int64_t
#define SETTING_C_SIZE int64_t
#define SETTING_C_TIME int64_t
#define SETTING_C_MODE int64_t
#define SETTING_C_STR const char *
#define SETTING_C_SECRET const char *
#define SETTING_C_LINES const char *
#define SETTING_C_ENUM int
#define SETTING_C_RATE struct pl_rate
#define SETTING_C_LIST struct pl_list

struct settings {
#define SETTING(field, type, ...) SETTING_C_##type field;
#define UPSTREAM(...)
#define OIDC(...)
#include "core/settings.def"
#undef SETTING
#undef UPSTREAM
#undef OIDC
};

struct upstream_settings {
	const char *name;
#define SETTING(...)
#define UPSTREAM(field, type, ...) SETTING_C_##type field;
#define OIDC(...)
#include "core/settings.def"
#undef SETTING
#undef UPSTREAM
#undef OIDC
};

struct oidc_settings {
	const char *name;
#define SETTING(...)
#define UPSTREAM(...)
#define OIDC(field, type, ...) SETTING_C_##type field;
#include "core/settings.def"
#undef SETTING
#undef UPSTREAM
#undef OIDC
};

enum { METRICS_PARLOUR, METRICS_PRODLENS };
enum { PERSON_NONE, PERSON_MAIL, PERSON_SLACK };
enum { SUGGESTIONS_OBJECTS, SUGGESTIONS_TEXT };
enum { DELETED_KEEP, DELETED_ERASE };
enum { MFA_NONE, MFA_ADMIN, MFA_OPERATOR, MFA_ALL };
enum { REGISTRATION_OPEN, REGISTRATION_INVITE, REGISTRATION_CLOSED };
enum { DIRECTORY_ALL, DIRECTORY_SHARED_ROOMS, DIRECTORY_OFF };
enum { ACCESS_FIELDS, ACCESS_COMBINED };
enum { DIALECT_OPENAI, DIALECT_ANTHROPIC };
enum provider { PROVIDER_AUTO, PROVIDER_OPENAI, PROVIDER_ANTHROPIC, PROVIDER_OPENROUTER, PROVIDER_OTHER };
enum { MAX_TOKENS_OLD, MAX_TOKENS_NEW };
enum { CLIENT_AUTH_AUTO, CLIENT_AUTH_BASIC, CLIENT_AUTH_POST };
enum { KEY_HEADER_BEARER, KEY_HEADER_API_KEY };

struct config {
	struct pl_pool *pool;
	int holds;
	struct settings s;
	struct upstream_settings *upstreams;
	int upstreams_count;
	struct oidc_settings *oidc;	/* identity providers */
	int oidc_count;
	struct pl_keyring keys;		/* of key_file; loaded by config_secrets() */
	struct pl_seal_ring seal_ring;	/* likewise: of seal_keys and key_file */
	struct pl_blocklist blocklist;	/* likewise: of password_blocklist */
	bool secrets_read;		/* the contents of key files are in the settings next to the file names */
	struct pl_cfg cfg;		/* texts and origins, for -t and reload */
};

/* Languages of documents, ISO 639-1; "und": none in particular. The setting knowledge_language is an index. */
extern const char *const settings_languages[];
extern const struct pl_schema settings_schema;
/* The sections [oidc NAME]: settings_schema.other. */
extern const struct pl_schema settings_oidc;

/*
 * Reads and checks a whole configuration, cross-field rules included (workers <= max_workers, powers of two, db budget,
 * llm_default exists, upstream url given). path NULL: defaults and overrides only. Errors: NULL and why[] with
 * "file:line: key: rule".
 */
struct config *config_read(const char *path, const char *const *overrides, int overrides_count,
    char why[512]) PL_MUSTCHECK;
/* Loads the key ring and the secrets of upstreams and identity providers, which only the master can read. */
bool config_secrets(struct config *config, char why[512]) PL_MUSTCHECK;
struct config *config_hold(const struct config *config);
/* Takes a hold that ends with the pool, for structs in that pool. */
const struct config *config_keep(struct pl_pool *pool, const struct config *config);
void config_release(struct config **config);	/* clears *config; the last one frees */
/*
 * Calls fn with the name of each setting that differs from `old` and needs a restart. These values are copied from
 * `old` to `fresh`, so that the displayed values are the ones in effect. The key that signs in `old` goes on to sign,
 * if `fresh` has it: a new key may sign only when every process can verify it (reload_keys()).
 */
void config_keep_restart_only(struct config *fresh, const struct config *old, void (*fn)(void *arg, const char *name),
    void *arg);
/* Names of the settings whose values differ; "llm NAME" or "oidc NAME" for sections that are new, gone, or changed. */
void config_changes(const struct config *fresh, const struct config *old, void (*fn)(void *arg, const char *name),
    void *arg);
/*
 * Converts the configuration, with its secrets, to bytes for a child process, and back. The caller wipes the bytes.
 */
void config_pack(const struct config *config, struct pl_buf *out);
struct config *config_unpack(struct pl_str bytes, char why[512]) PL_MUSTCHECK;
/* An [llm NAME] section by name, NULL if there is none. */
const struct upstream_settings *config_upstream(const struct config *config, struct pl_str name);
/* The same of an [oidc NAME] section. */
const struct oidc_settings *config_oidc(const struct config *config, struct pl_str name);
/* Cuts the next "NAME: VALUE" off the lines of a setting; value absent without a colon. false: no more. */
bool config_line(struct pl_str *lines, struct pl_str *name_r, struct pl_str *value_r);
#define CONFIG_HEADERS_MAX 16	/* lines of `header` in a section */
/* The provider whose keys an upstream accepts; `auto` derives it from the host in the url. Never PROVIDER_AUTO. */
enum provider config_provider(const struct upstream_settings *upstream);
/* openai, anthropic, openrouter, other */
const char *config_provider_word(enum provider provider);

#endif
