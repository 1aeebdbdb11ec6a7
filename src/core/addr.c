/* SPDX-License-Identifier: ISC */
/* Parses addresses to listen on, as settings name them. No I/O and no name lookups. */
#include "core/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "str.h"

static bool refuse(char why[128], const char *rule)
{
	snprintf(why, 128, "%s", rule);
	return false;
}

static bool parse_unix(const char *path, struct addr *addr_r, char why[128])
{
	struct sockaddr_un *un = (struct sockaddr_un *)&addr_r->sa;
	size_t len = strlen(path);

	if (path[0] != '/')
		return refuse(why, "a unix socket needs an absolute path");
	if (len >= sizeof(un->sun_path))
		return refuse(why, "the path is longer than 107 bytes");
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len + 1);
	addr_r->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	addr_r->is_unix = true;
	return true;
}

static bool parse_ipv6(const char *host, int64_t port, struct addr *addr_r)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr_r->sa;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	addr_r->len = sizeof(*in6);
	return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
}

static bool parse_ipv4(const char *host, int64_t port, struct addr *addr_r)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&addr_r->sa;

	if (strcmp(host, "*") == 0)
		host = "0.0.0.0";
	else if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	addr_r->len = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

bool addr_parse(const char *text, struct addr *addr_r, char why[128])
{
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t len;
	int64_t port;

	memset(addr_r, 0, sizeof(*addr_r));
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, addr_r, why);
	if (colon == NULL || !pl_str_i64(pl_str(colon + 1), 0, 65535, &port))
		return refuse(why, "is not HOST:PORT, [IPV6]:PORT or unix:/path");
	len = (size_t)(colon - text);
	if (len == 0 || len >= sizeof(host))
		return refuse(why, "has no numeric host; write * for all IPv4 addresses, [::] for all addresses");
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		return parse_ipv6(host + 1, port, addr_r) || refuse(why, "is not an IPv6 address");
	}
	return parse_ipv4(host, port, addr_r) ||
	    refuse(why, "has no numeric host; write * for all IPv4 addresses, [::] for all addresses");
}

bool addr_same(const struct addr *a, const struct addr *b)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;

	if (a->sa.ss_family == AF_INET && in->sin_port == 0)
		return false;	/* port 0: each of them gets a separate port */
	return a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0;
}

const char *addr_path(const struct addr *addr)
{
	PL_BUG(!addr->is_unix);
	return ((const struct sockaddr_un *)&addr->sa)->sun_path;
}

void addr_text(int fd, char out[ADDR_TEXT_MAX])
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	const struct sockaddr_in *in = (const struct sockaddr_in *)&sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&sa;
	const struct sockaddr_un *un = (const struct sockaddr_un *)&sa;
	char host[INET6_ADDRSTRLEN] = "?";

	snprintf(out, ADDR_TEXT_MAX, "?");
	memset(&sa, 0, sizeof(sa));
	if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
		return;
	if (sa.ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, ADDR_TEXT_MAX, "%s:%u", host, (unsigned)ntohs(in->sin_port));
	} else if (sa.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(out, ADDR_TEXT_MAX, "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
	} else if (sa.ss_family == AF_UNIX) {
		snprintf(out, ADDR_TEXT_MAX, "unix:%.106s", un->sun_path);
	}
}

bool addr_is_host(struct pl_str text)
{
	char copy[INET6_ADDRSTRLEN], bytes[sizeof(struct in6_addr)];

	if (text.len >= sizeof(copy))
		return false;
	snprintf(copy, sizeof(copy), "%.*s", PL_FMT(text));
	return pl_str_is(text, "unix") || inet_pton(AF_INET, copy, bytes) == 1 || inet_pton(AF_INET6, copy, bytes) == 1;
}

bool addr_is_network(struct pl_str text)
{
	const char *slash = memchr(text.ptr, '/', text.len);
	size_t len = slash != NULL ? (size_t)(slash - text.ptr) : 0;
	struct pl_str address = pl_strn(text.ptr, len), bits = pl_strn(text.ptr + len + 1, text.len - len - 1);
	int64_t n;

	return slash != NULL && addr_is_host(address) && !pl_str_is(address, "unix") &&
	    pl_str_i64(bits, 0, memchr(address.ptr, ':', len) != NULL ? 128 : 32, &n) &&
	    isdigit((unsigned char)bits.ptr[0]) && (bits.len == 1 || bits.ptr[0] != '0');
}
