/* SPDX-License-Identifier: ISC */
/*
 * Addresses to listen on, in the form that the settings have.
 */
#ifndef CORE_ADDR_H
#define CORE_ADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "pool.h"
#include "str.h"

#define ADDR_TEXT_MAX 112

struct addr {
	struct sockaddr_storage sa;
	socklen_t len;
	bool is_unix;
};

/*
 * Reads 127.0.0.1:8000, [::1]:8000, *:8000, localhost:8000 or unix:/absolute/path. Port 0 lets the kernel choose. Names
 * are not resolved. On errors, returns false, and why[] has the broken rule.
 */
bool addr_parse(const char *text, struct addr *addr_r, char why[128]) PL_MUSTCHECK;
bool addr_same(const struct addr *a, const struct addr *b);
/* The address that a socket is bound to, in the form of addr_parse(); "?" if it has none. */
void addr_text(int fd, char out[ADDR_TEXT_MAX]);
/* The path of a unix address. */
const char *addr_path(const struct addr *addr);
/* The address of a client: IPv4, IPv6, or the word unix. */
bool addr_is_host(struct pl_str text);
/* A network: an address, a slash, and the number of bits, without leading zeros. */
bool addr_is_network(struct pl_str text);

#endif
