/* SPDX-License-Identifier: ISC */
/* Rules between settings, and secrets that are read from files. */
#include "core/settings_check.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/addr.h"
#include "json.h"

#define KEY_FILE_MAX_BYTES 1024
#define LISTEN_MAX 31		/* plus one for metrics_listen */

static const char *origin_of(const struct config *config, const char *key)
{
	for (size_t i = 0; i < settings_schema.count; i++)
		if (strcmp(settings_schema.settings[i].name, key) == 0 && config->cfg.origins != NULL &&
		    config->cfg.origins[i] != NULL)
			return config->cfg.origins[i];
	return "default";
}

static bool refuse(const struct config *config, const char *key, char why[512], const char *fmt, ...) PL_PRINTF(4, 5);

static bool refuse(const struct config *config, const char *key, char why[512], const char *fmt, ...)
{
	int at = snprintf(why, 512, "%s: %s: ", origin_of(config, key), key);
	va_list args;

	if (at < 0 || at >= 512)
		return false;
	va_start(args, fmt);
	vsnprintf(why + at, (size_t)(512 - at), fmt, args);
	va_end(args);
	return false;
}

static bool power_of_two(int64_t n)
{
	return n > 0 && (n & (n - 1)) == 0;
}

static bool check_processes(const struct config *config, char why[512])
{
	const struct settings *s = &config->s;
	int64_t held = SETTINGS_DB_HELD(s->workers);

	if (s->workers > s->max_workers)
		return refuse(config, "workers", why, "%lld is above max_workers (%lld)", (long long)s->workers,
		    (long long)s->max_workers);
	if (held > s->db_connections)
		return refuse(config, "db_connections", why,
		    "%lld is too low for %lld workers: each needs 2, and clerk and courier need 1 each: %lld in total",
		    (long long)s->db_connections, (long long)s->workers, (long long)held);
	if (!power_of_two(s->rate_slots))
		return refuse(config, "rate_slots", why, "%lld is not a power of two", (long long)s->rate_slots);
	if (!power_of_two(s->ring_size))
		return refuse(config, "ring_size", why, "%lld bytes is not a power of two", (long long)s->ring_size);
	return true;
}

static bool check_addresses(const struct config *config, char why[512])
{
	const struct settings *s = &config->s;
	struct addr first, second;
	char rule[128];

	if (s->listen.count == 0 || s->listen.count > LISTEN_MAX)
		return refuse(config, "listen", why, "1 to %d addresses are needed", LISTEN_MAX);
	for (int i = 0; i < s->listen.count; i++) {
		if (!addr_parse(s->listen.items[i], &first, rule))
			return refuse(config, "listen", why, "%s: %s", s->listen.items[i], rule);
		for (int j = 0; j < i; j++)
			if (addr_parse(s->listen.items[j], &second, rule) && addr_same(&first, &second))
				return refuse(config, "listen", why, "%s is listed twice", s->listen.items[i]);
	}
	if (s->metrics_listen[0] != '\0' && !addr_parse(s->metrics_listen, &first, rule))
		return refuse(config, "metrics_listen", why, "%s: %s", s->metrics_listen, rule);
	if (s->listen_unix_mode & ~(int64_t)0777)
		return refuse(config, "listen_unix_mode", why, "only the nine permission bits can be set");
	return true;
}

static bool check_logs(const struct config *config, char why[512])
{
	const struct settings *s = &config->s;

	if (s->access_log_format == ACCESS_COMBINED && strcmp(s->access_log, "-") == 0)
		return refuse(config, "access_log_format", why, "combined needs a file in access_log, not -");
	return true;
}

static bool check_sizes(const struct config *config, char why[512])
{
	const struct settings *s = &config->s;

	if (s->max_content > s->max_body)
		return refuse(config, "max_body", why, "is below max_content (%lld bytes)", (long long)s->max_content);
	if (s->max_content > s->ws_max_frame)
		return refuse(config, "ws_max_frame", why, "is below max_content (%lld bytes)",
		    (long long)s->max_content);
	if (s->access_token_life > s->refresh_token_life)
		return refuse(config, "access_token_life", why, "is longer than refresh_token_life");
	return true;
}

static bool check_accounts(const struct config *config, char why[512])
{
	const struct settings *s = &config->s;

	if (s->require_email_verification && (s->smtp_url[0] == '\0' || s->public_url[0] == '\0'))
		return refuse(config, "require_email_verification", why,
		    "needs smtp_url and public_url, because it mails links");
	return true;
}

static bool web_address(const char *text)
{
	return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

static bool anonymous_ok(const char *word)
{
	static const char *const words[] = { "metrics", "insights", "sessions", "profile", "query", "suggestions" };

	for (size_t i = 0; i < PL_COUNT(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* Accepts scheme://host[:port] as browsers write it: without a path, not even "/". */
static bool is_origin(const char *text)
{
	const char *host = strstr(text, "://");

	return strcmp(text, "*") == 0 || (host != NULL && host > text && host[3] != '\0' &&
	    strpbrk(text, " \"'[],<>\\") == NULL && strpbrk(host + 3, "/?#@") == NULL);
}

/* Accepts a name or an address, without scheme and port; *. includes subdomains. */
static bool is_host(const char *text)
{
	if (text[0] == '[')
		return text[strlen(text) - 1] == ']' && strchr(text, ':') != NULL;
	return strpbrk(text, "/\"'[],<>:@") == NULL;
}

static bool check_names(const struct config *config, char why[512])
{
	const struct settings *s = &config->s;

	for (int i = 0; i < s->cors_origins.count; i++)
		if (!is_origin(s->cors_origins.items[i]))
			return refuse(config, "cors_origins", why,
			    "%s is not an origin: write https://app.example.org, without path, "
			    "quotes, and brackets; separate several with blanks", s->cors_origins.items[i]);
	for (int i = 0; i < s->trusted_hosts.count; i++)
		if (!is_host(s->trusted_hosts.items[i]))
			return refuse(config, "trusted_hosts", why,
			    "%s is not a host name: write app.example.org, without scheme, port, quotes, and brackets",
			    s->trusted_hosts.items[i]);
	for (int i = 0; i < s->anonymous.count; i++)
		if (!anonymous_ok(s->anonymous.items[i]))
			return refuse(config, "anonymous", why,
			    "%s must be one of metrics, insights, sessions, profile, query, suggestions",
			    s->anonymous.items[i]);
	return true;
}

static bool is_one_of(struct pl_str word, const char *const *words)
{
	while (*words != NULL && !pl_str_ieq(word, pl_str(*words)))
		words++;
	return *words != NULL;
}

/*
 * Accepts letters that real header names consist of (a part of RFC 9110's tokens). With `_`, the same for JSON fields.
 */
static bool name_plain(struct pl_str name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!isalnum((unsigned char)name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '_')
			return false;
	}
	return name.len > 0 && name.len <= 64;
}

static const char *check_headers(const struct upstream_settings *up)
{
	static const char *const ours[] = { "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection",
		"Expect", "Accept", "Accept-Encoding", NULL };
	struct pl_str lines = pl_str(up->header), name, value;
	int count = 0;

	while (config_line(&lines, &name, &value)) {
		if (!name_plain(name) || value.len == 0)
			return "header: must be NAME: VALUE";
		if (is_one_of(name, ours))
			return "header: Host, Content-*, Accept*, and headers of the connection are set by Parlour";
		if (++count > CONFIG_HEADERS_MAX)
			return "header: at most 16 are allowed";
	}
	return NULL;
}

static const char *check_parameters(const struct config *config, const struct upstream_settings *up)
{
	static const char *const ours[] = { "model", "messages", "system", "temperature", "max_tokens",
		"max_completion_tokens", "stream", "stream_options", NULL };
	struct pl_str lines = pl_str(up->parameter), name, value;
	struct pl_err err = { 0 };

	while (config_line(&lines, &name, &value)) {
		if (!name_plain(name) || value.len == 0 || pl_json_parse(config->pool, value, &err) == NULL)
			return "parameter: must be NAME: JSON, and text must be in double quotes";
		if (is_one_of(name, ours))
			return "parameter: this field is set by Parlour";
	}
	return NULL;
}

static bool is_proxy(const char *text)
{
	static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };

	for (size_t i = 0; i < PL_COUNT(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (strncmp(text, schemes[i], len) == 0)
			return text[len] != '\0' && strpbrk(text + len, " \t\"<>\\^`{|}@/") == NULL;
	}
	return false;
}

static bool check_upstream(const struct config *config, const struct upstream_settings *up, char why[512])
{
	const char *rule = NULL;

	if (strcmp(up->name, "local") == 0)
		rule = "this name is reserved for the built-in responder";
	else if (up->url[0] == '\0')
		rule = "url: is required";
	else if (!web_address(up->url) || strpbrk(up->url, " \t\"<>\\^`{|}") != NULL)
		rule = "url: must be an http:// or https:// address";
	else if (!config->secrets_read && up->key[0] != '\0' && up->key_file[0] != '\0')
		rule = "key: set key or key_file, not both";
	else if (up->proxy[0] != '\0' && !is_proxy(up->proxy))
		rule = "proxy: must be http://, https://, socks5://, or socks5h://HOST:PORT, without a user name";
	else if (up->ca_file[0] != '\0' && access(up->ca_file, R_OK) != 0)
		rule = "ca_file: cannot be read";
	else if ((rule = check_headers(up)) == NULL)
		rule = check_parameters(config, up);
	if (rule != NULL)
		snprintf(why, 512, "[llm %s]: %s", up->name, rule);
	return rule == NULL;
}

/* Is the host of this http:// address this machine itself? */
static bool is_loopback(const char *url)
{
	const char *host = url + 7;
	size_t len = strcspn(host, "/?#");
	size_t name = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	struct pl_str text = pl_strn(host, name < len ? name : len);

	return pl_str_ieq(text, PL_STR("localhost")) || pl_str_is(text, "127.0.0.1") || pl_str_is(text, "[::1]");
}

static const char *check_issuer(const struct oidc_settings *p)
{
	if (p->issuer[0] == '\0')
		return "issuer: is required";
	if (!web_address(p->issuer) || strpbrk(p->issuer, " \t\"<>\\^`{|}?#@") != NULL)
		return "issuer: must be an https:// address without a query and a user name";
	if (strncmp(p->issuer, "http://", 7) == 0 && !p->allow_http && !is_loopback(p->issuer))
		return "issuer: must be an https:// address; http:// is only for this host, or with allow_http = on";
	return NULL;
}

static bool check_oidc(const struct config *config, const struct oidc_settings *p, char why[512])
{
	const char *rule = check_issuer(p);
	bool openid = false;

	for (int i = 0; i < p->scopes.count; i++)
		openid = openid || strcmp(p->scopes.items[i], "openid") == 0;
	if (rule == NULL && p->client_id[0] == '\0')
		rule = "client_id: is required";
	else if (rule == NULL && !config->secrets_read && p->client_secret[0] != '\0' &&
	    p->client_secret_file[0] != '\0')
		rule = "client_secret: set client_secret or client_secret_file, not both";
	else if (rule == NULL && !openid)
		rule = "scopes: must contain openid";
	else if (rule == NULL && p->proxy[0] != '\0' && !is_proxy(p->proxy))
		rule = "proxy: must be http://, https://, socks5://, or socks5h://HOST:PORT, without a user name";
	else if (rule == NULL && p->ca_file[0] != '\0' && access(p->ca_file, R_OK) != 0)
		rule = "ca_file: cannot be read";
	if (rule != NULL)
		snprintf(why, 512, "[oidc %s]: %s", p->name, rule);
	return rule == NULL;
}

static bool check_providers(const struct config *config, char why[512])
{
	const struct settings *s = &config->s;

	for (int i = 0; i < config->oidc_count; i++)
		if (!check_oidc(config, &config->oidc[i], why))
			return false;
	if (config->oidc_count > 0 && s->public_url[0] == '\0')
		return refuse(config, "public_url", why, "is required by [oidc %s]: the provider sends browsers there",
		    config->oidc[0].name);
	for (int i = 0; i < s->oidc_return_to.count; i++)
		if (!web_address(s->oidc_return_to.items[i]) || strchr(s->oidc_return_to.items[i], '#') != NULL)
			return refuse(config, "oidc_return_to", why,
			    "%s must be an http:// or https:// address without a fragment", s->oidc_return_to.items[i]);
	return true;
}

static bool mail_address(const char *text)
{
	const char *at = strchr(text, '@');

	return at != NULL && at != text && at[1] != '\0' && strpbrk(text, " \t\"(),:;<>[\\]") == NULL;
}

static bool check_mail(const struct config *config, char why[512])
{
	const struct settings *s = &config->s;
	bool smtps = strncmp(s->smtp_url, "smtps://", 8) == 0;

	if (s->slack_webhook[0] != '\0' && !web_address(s->slack_webhook))
		return refuse(config, "slack_webhook", why, "must be an http:// or https:// address");
	if (!config->secrets_read && s->slack_webhook[0] != '\0' && s->slack_webhook_file[0] != '\0')
		return refuse(config, "slack_webhook", why, "set slack_webhook or slack_webhook_file, not both");
	if (!config->secrets_read && s->smtp_password[0] != '\0' && s->smtp_password_file[0] != '\0')
		return refuse(config, "smtp_password", why, "set smtp_password or smtp_password_file, not both");
	for (int i = 0; i < s->lead_mail_to.count; i++)
		if (!mail_address(s->lead_mail_to.items[i]))
			return refuse(config, "lead_mail_to", why,
			    "%s is not an e-mail address", s->lead_mail_to.items[i]);
	if (s->smtp_url[0] == '\0')
		return true;
	if ((!smtps && strncmp(s->smtp_url, "smtp://", 7) != 0) || strpbrk(s->smtp_url, " \t\"<>\\^`{|}@") != NULL)
		return refuse(config, "smtp_url", why, "%s must be an smtp:// or smtps:// address without a user name",
		    s->smtp_url);
	if (!mail_address(s->mail_from))
		return refuse(config, "mail_from", why,
		    "smtp_url requires an address here, such as parlour@example.org");
	if (s->smtp_user[0] != '\0' && !smtps && !s->smtp_tls)
		return refuse(config, "smtp_tls", why, "must be on: Parlour does not send a password without TLS");
	return true;
}

bool config_check(const struct config *config, char why[512])
{
	const struct settings *s = &config->s;

	if (!check_processes(config, why) || !check_addresses(config, why) || !check_logs(config, why) ||
	    !check_sizes(config, why) || !check_accounts(config, why))
		return false;
	if (s->public_url[0] != '\0' && !web_address(s->public_url))
		return refuse(config, "public_url", why, "%s must be an http:// or https:// address", s->public_url);
	if (!check_names(config, why))
		return false;
	for (int i = 0; i < config->upstreams_count; i++)
		if (!check_upstream(config, &config->upstreams[i], why))
			return false;
	if (strcmp(s->llm_default, "local") != 0 && config_upstream(config, pl_str(s->llm_default)) == NULL)
		return refuse(config, "llm_default", why, "there is no section [llm %s]", s->llm_default);
	if (s->query_upstream[0] != '\0' && config_upstream(config, pl_str(s->query_upstream)) == NULL)
		return refuse(config, "query_upstream", why, "there is no section [llm %s]", s->query_upstream);
	return check_providers(config, why) && check_mail(config, why);
}

/* Opens a file with a secret: a regular file that other users can neither read nor change. -1: error in why[]. */
static int secret_open(const char *path, char why[256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0) {
		snprintf(why, 256, "%s", strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IWGRP | S_IWOTH | S_IROTH)) == 0)
		return fd;
	snprintf(why, 256, "must be a regular file that others cannot read or change: chmod 0600");
	close(fd);
	return -1;
}

/* Returns the key without the end of the line. NULL: error in why[]. */
static const char *secret_read(struct pl_pool *pool, const char *path, char why[256])
{
	char *key = pl_alloc(pool, KEY_FILE_MAX_BYTES + 2);
	int fd = secret_open(path, why);
	size_t len;
	ssize_t got;

	if (fd < 0)
		return NULL;
	got = read(fd, key, KEY_FILE_MAX_BYTES + 1);
	close(fd);
	len = got > 0 ? (size_t)got : 0;
	while (len > 0 && (key[len - 1] == '\n' || key[len - 1] == '\r' || key[len - 1] == ' '))
		len--;
	key[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if (key[i] > ' ' && key[i] < 0x7f)
			continue;
		snprintf(why, 256, "must contain one key and nothing else (byte %zu)", i + 1);
		return NULL;
	}
	if (len > 0 && len <= KEY_FILE_MAX_BYTES)
		return key;
	snprintf(why, 256, "%s", len == 0 ? "is empty" : "is too long for a key");
	return NULL;
}

static void key_wipe(void *arg)
{
	pl_wipe(arg, strlen(arg));
}

/* Reads a setting of type SECRET from the file that another setting names. */
static bool secret_setting(struct config *config, const char *name, const char *path, const char **value_r,
    char why[512])
{
	char rule[256];

	if (path[0] == '\0')
		return true;
	*value_r = secret_read(config->pool, path, rule);
	if (*value_r != NULL)
		return true;
	*value_r = "";
	return refuse(config, name, why, "%s: %s", path, rule);
}

static bool mail_secrets(struct config *config, char why[512])
{
	struct settings *s = &config->s;

	if (!secret_setting(config, "smtp_password_file", s->smtp_password_file, &s->smtp_password, why) ||
	    !secret_setting(config, "slack_webhook_file", s->slack_webhook_file, &s->slack_webhook, why))
		return false;
	if (s->slack_webhook[0] != '\0' && !web_address(s->slack_webhook))
		return refuse(config, "slack_webhook_file", why, "must contain an http:// or https:// address");
	return true;
}

/* The keys that encrypt values in the database, from both files. */
static bool seal_keys(struct config *config, char why[512])
{
	const struct pl_keyring *keys = &config->keys;
	char rule[256];

	if (config->s.seal_keys[0] != '\0' && !pl_seal_ring_load(&config->seal_ring, config->s.seal_keys, rule))
		return refuse(config, "seal_keys", why, "%s", rule);
	if (config->s.seal_keys[0] != '\0' && keys->single)
		return true;
	if (config->s.seal_keys[0] == '\0' && keys->seals.count == 0)
		return refuse(config, "key_file", why, "%s: the ring has no line `seal`, and seal_keys is not set; if "
		    "nothing was stored yet, add a line: seal $(openssl rand -hex 32)", config->s.key_file);
	PL_BUG(!pl_seal_ring_join(&config->seal_ring, &keys->seals));	/* each file has at most PL_SEAL_KEYS */
	return true;
}

/* A secret of a section from its file; stays as it is without one. */
static bool section_secret(struct config *config, const char *section, const char *setting, const char *path,
    const char **secret_r, char why[512])
{
	char rule[256];
	const char *secret;

	if (path[0] == '\0')
		return true;
	secret = secret_read(config->pool, path, rule);
	if (secret == NULL) {
		snprintf(why, 512, "[%s]: %s: %s: %s", section, setting, path, rule);
		return false;
	}
	*secret_r = secret;
	pl_pool_cleanup(config->pool, key_wipe, (char *)secret);
	return true;
}

bool config_secrets(struct config *config, char why[512])
{
	char rule[256];

	if (config->s.key_file[0] == '\0')
		return refuse(config, "key_file", why, "is not set: generate a key with 'parlourctl genkey FILE' or "
		    "'head -c 48 /dev/urandom | base64 > FILE; chmod 600 FILE' and name it here");
	if (!pl_keyring_load(config->pool, config->s.key_file, &config->keys, rule))
		return refuse(config, "key_file", why, "%s", rule);
	if (!seal_keys(config, why))
		return false;
	if (config->s.password_blocklist[0] != '\0' &&
	    !pl_blocklist_load(config->pool, config->s.password_blocklist, &config->blocklist, rule))
		return refuse(config, "password_blocklist", why, "%s", rule);
	for (int i = 0; i < config->upstreams_count; i++) {
		struct upstream_settings *up = &config->upstreams[i];

		if (!section_secret(config, pl_sprintf(config->pool, "llm %s", up->name), "key_file", up->key_file,
			&up->key, why))
			return false;
	}
	for (int i = 0; i < config->oidc_count; i++) {
		struct oidc_settings *p = &config->oidc[i];

		if (!section_secret(config, pl_sprintf(config->pool, "oidc %s", p->name), "client_secret_file",
			p->client_secret_file, &p->client_secret, why))
			return false;
	}
	config->secrets_read = true;
	return mail_secrets(config, why);
}
