/* SPDX-License-Identifier: ISC */
/*
 * Identity providers (tables user_identities, oidc_flows, oidc_codes). Of states, cookies, and codes, only hashes are
 * known here.
 */
#ifndef DB_REPO_OIDC_H
#define DB_REPO_OIDC_H

#include "db/repo/repo_confirm.h"

struct oidc_hash { unsigned char sha256[32]; };

/* A section [oidc NAME]: its name and its current issuer. */
struct oidc_section { struct pl_str name, issuer; };
/* user_id 0: a person signs in; otherwise the user of login session login_id links a provider. */
struct oidc_flow {
	struct pl_str return_to;
	bool challenged;
	struct oidc_hash challenge;	/* if challenged */
	int64_t user_id, login_id;
};
void repo_oidc_begin(struct db *db, struct pl_task *task, const struct oidc_hash *state,
    const struct oidc_hash *browser, struct oidc_section section, const struct oidc_flow *flow, db_done_fn *done,
    void *arg);
/* The same for the task's caller, who links a provider; flow->challenge is unused. Errors of repo_confirm.h. */
void repo_oidc_link_begin(struct db *db, struct pl_task *task, const struct confirmation *by,
    const struct oidc_hash *state, const struct oidc_hash *browser, struct oidc_section section,
    const struct oidc_flow *flow, db_done_fn *done, void *arg);
typedef void (repo_oidc_flow_fn)(void *arg, const struct oidc_flow *flow, const struct pl_err *err);
/* Works once. PL_E_NOT_FOUND: unknown, expired, used, or of another browser, provider, or issuer. */
void repo_oidc_return(struct db *db, struct pl_task *task, const struct oidc_hash *state,
    const struct oidc_hash *browser, struct oidc_section section, repo_oidc_flow_fn *done, void *arg);

/* A person whom a provider has authenticated. */
struct oidc_person {
	struct pl_str provider, issuer, subject;
	struct pl_str email;			/* absent: unknown */
	bool email_verified;
	struct pl_str username;			/* for a new account: passes name_fault() */
	struct pl_str name;			/* display name of a new account; absent: none */
};
enum oidc_status { OIDC_OK, OIDC_MFA, OIDC_NO_ACCOUNT, OIDC_REFUSED, OIDC_TAKEN, OIDC_LOGIN_ENDED, OIDC_GONE };
/* link: accounts with the same verified address; add: new accounts. */
struct oidc_rules { bool link, add; };
struct oidc_signed_in { enum oidc_status status; int64_t user_id; };
typedef void (repo_oidc_sign_in_fn)(void *arg, const struct oidc_signed_in *in, const struct pl_err *err);
/* OIDC_OK: `code` gives a login session. OIDC_NO_ACCOUNT; OIDC_REFUSED: disabled or locked. */
void repo_oidc_sign_in(struct db *db, struct pl_task *task, const struct oidc_person *person,
    const struct oidc_rules *rules, const struct oidc_flow *flow, const struct oidc_hash *code,
    repo_oidc_sign_in_fn *done, void *arg);
/* Links the person to the user of the flow. OIDC_OK, OIDC_TAKEN, OIDC_LOGIN_ENDED. */
void repo_oidc_link(struct db *db, struct pl_task *task, const struct oidc_person *person, const struct oidc_flow *flow,
    repo_oidc_sign_in_fn *done, void *arg);

struct oidc_login { enum oidc_status status; int64_t user_id, login_id, counter, expires_us; };
typedef void (repo_oidc_login_fn)(void *arg, const struct oidc_login *login, const struct pl_err *err);
/*
 * Uses a code. challenge NULL: no verifier was given. OIDC_OK: a login session. OIDC_MFA: `ticket` is for the second
 * step. OIDC_REFUSED, OIDC_GONE.
 */
void repo_oidc_code_use(struct db *db, struct pl_task *task, const struct oidc_hash *code,
    const struct oidc_hash *challenge, int64_t life_us, struct pl_str user_agent, const struct oidc_hash *ticket,
    repo_oidc_login_fn *done, void *arg);

struct identity {
	int64_t id;
	struct pl_str provider, issuer, subject, email;	/* email: absent when unknown */
	int64_t created_us, used_us;			/* used_us 0: never */
};
struct identity_list { const struct identity *rows; int count; };
typedef void (repo_identities_fn)(void *arg, const struct identity_list *list, const struct pl_err *err);
/* Those of the caller of the task. */
void repo_identities(struct db *db, struct pl_task *task, repo_identities_fn *done, void *arg);
/* PL_E_NOT_FOUND; PL_E_CONFLICT: the caller could not sign in any more; and those of repo_confirm.h. */
void repo_identity_remove(struct db *db, struct pl_task *task, const struct confirmation *by, int64_t id,
    db_done_fn *done, void *arg);

#endif
