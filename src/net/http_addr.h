/* SPDX-License-Identifier: ISC */
/*
 * The address of the client (addresses, networks, X-Forwarded-For of trusted proxies), and the accepted Host names.
 * Pure functions.
 */
#ifndef NET_HTTP_ADDR_H
#define NET_HTTP_ADDR_H

#include <stdint.h>

#include "cfg.h"
#include "str.h"

#define HTTP_ADDR_TEXT 46	/* INET6_ADDRSTRLEN */

/* IPv4 is kept as its IPv4-mapped IPv6 address, so that one comparison serves both. */
struct http_ip { uint8_t bytes[16]; };
struct http_net { struct http_ip ip; int bits; };
struct http_nets {
	struct http_net *items;
	int count;
	bool has_unix;
};

/* 192.0.2.1, 2001:db8::1, [2001:db8::1], each but the second also with :port. */
bool http_ip_parse(struct pl_str text, struct http_ip *ip_r) PL_MUSTCHECK;
void http_ip_text(const struct http_ip *ip, char out[HTTP_ADDR_TEXT]);
/* An address, or address/bits; bits of the host part are ignored. */
bool http_net_parse(struct pl_str text, struct http_net *net_r) PL_MUSTCHECK;
bool http_net_has(const struct http_net *net, const struct http_ip *ip);
/* Networks and the word `unix` of a list; invalid entries are skipped and counted. */
int http_nets_make(struct http_nets *nets, struct pl_pool *pool, const struct pl_list *list);
bool http_nets_have(const struct http_nets *nets, const struct http_ip *ip);

/*
 * The client behind trusted proxies: walks X-Forwarded-For (all its lines joined by commas) from the right while the
 * addresses are trusted ones. Writes the first address that is not trusted to out, or the leftmost if all are trusted.
 * An entry that is not an address ends the walk. If the header is empty, out is unchanged.
 */
void http_forwarded_client(const struct http_nets *trusted, struct pl_str forwarded, char out[HTTP_ADDR_TEXT]);

/* Returns whether a Host (with or without port) is in the list. "*" means any, "*.example.org" only its subdomains. */
bool http_host_allowed(const struct pl_list *list, struct pl_str host);

#endif
