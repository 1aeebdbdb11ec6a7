/* SPDX-License-Identifier: ISC */
/* Addresses and networks in 128-bit form, X-Forwarded-For, and host names. */
#include "net/http_addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool parse_bare(struct pl_str text, struct http_ip *ip_r)
{
	char copy[HTTP_ADDR_TEXT];

	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, ip_r->bytes + 12) == 1) {
		memcpy(ip_r->bytes, mapped, sizeof(mapped));
		return true;
	}
	return inet_pton(AF_INET6, copy, ip_r->bytes) == 1;
}

static bool port_ok(struct pl_str text)
{
	int64_t port;

	return text.len == 0 ||
	    (text.ptr[0] == ':' && pl_str_i64(pl_strn(text.ptr + 1, text.len - 1), 0, 65535, &port));
}

bool http_ip_parse(struct pl_str text, struct http_ip *ip_r)
{
	const char *end;

	if (text.len == 0)
		return false;
	if (text.ptr[0] == '[') {
		end = memchr(text.ptr, ']', text.len);
		return end != NULL && port_ok(pl_strn(end + 1, text.len - (size_t)(end + 1 - text.ptr))) &&
		    memchr(text.ptr, ':', (size_t)(end - text.ptr)) != NULL &&
		    parse_bare(pl_strn(text.ptr + 1, (size_t)(end - text.ptr) - 1), ip_r);
	}
	end = memchr(text.ptr, ':', text.len);
	if (end != NULL && memchr(text.ptr, '.', (size_t)(end - text.ptr)) != NULL)	/* IPv4 with a port */
		return port_ok(pl_strn(end, text.len - (size_t)(end - text.ptr))) &&
		    parse_bare(pl_strn(text.ptr, (size_t)(end - text.ptr)), ip_r);
	return parse_bare(text, ip_r);
}

static bool is_mapped(const struct http_ip *ip)
{
	return memcmp(ip->bytes, mapped, sizeof(mapped)) == 0;
}

void http_ip_text(const struct http_ip *ip, char out[HTTP_ADDR_TEXT])
{
	if (is_mapped(ip))
		inet_ntop(AF_INET, ip->bytes + 12, out, HTTP_ADDR_TEXT);
	else
		inet_ntop(AF_INET6, ip->bytes, out, HTTP_ADDR_TEXT);
}

bool http_net_parse(struct pl_str text, struct http_net *net_r)
{
	struct pl_str address;
	int64_t bits = -1;
	int max;

	if (!pl_str_cut(&text, '/', &address) || !parse_bare(address, &net_r->ip))
		return false;
	max = is_mapped(&net_r->ip) && memchr(address.ptr, ':', address.len) == NULL ? 32 : 128;
	if (text.ptr != NULL && !pl_str_i64(text, 0, max, &bits))
		return false;
	net_r->bits = bits < 0 ? 128 : (int)bits + 128 - max;
	return true;
}

bool http_net_has(const struct http_net *net, const struct http_ip *ip)
{
	int whole = net->bits / 8, rest = net->bits % 8;

	if (memcmp(net->ip.bytes, ip->bytes, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((net->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest)) == 0;
}

int http_nets_make(struct http_nets *nets, struct pl_pool *pool, const struct pl_list *list)
{
	int bad = 0;

	*nets = (struct http_nets){ .items = pl_alloc(pool, sizeof(*nets->items) * (size_t)(list->count + 1)) };
	for (int i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], "unix") == 0)
			nets->has_unix = true;
		else if (http_net_parse(pl_str(list->items[i]), &nets->items[nets->count]))
			nets->count++;
		else
			bad++;
	}
	return bad;
}

bool http_nets_have(const struct http_nets *nets, const struct http_ip *ip)
{
	for (int i = 0; i < nets->count; i++) {
		if (http_net_has(&nets->items[i], ip))
			return true;
	}
	return false;
}

void http_forwarded_client(const struct http_nets *trusted, struct pl_str forwarded, char out[HTTP_ADDR_TEXT])
{
	size_t end = forwarded.len, at;
	struct http_ip ip;

	while (end > 0) {
		for (at = end; at > 0 && forwarded.ptr[at - 1] != ','; at--)
			;
		if (!http_ip_parse(pl_str_trim(pl_strn(forwarded.ptr + at, end - at)), &ip))
			return;
		http_ip_text(&ip, out);
		if (!http_nets_have(trusted, &ip) || at == 0)
			return;
		end = at - 1;
	}
}

/* The host name without its port. */
static struct pl_str host_name(struct pl_str host)
{
	size_t n = host.len;

	while (n > 0 && host.ptr[n - 1] >= '0' && host.ptr[n - 1] <= '9')
		n--;
	if (n > 0 && host.ptr[n - 1] == ':' && (host.ptr[0] == '[') == (n > 1 && host.ptr[n - 2] == ']'))
		host.len = n - 1;
	return host;
}

bool http_host_allowed(const struct pl_list *list, struct pl_str host)
{
	struct pl_str name = host_name(host), want;

	if (name.len > 1 && name.ptr[name.len - 1] == '.')
		name.len--;
	for (int i = 0; i < list->count; i++) {
		want = pl_str(list->items[i]);
		if (pl_str_is(want, "*") || pl_str_ieq(want, name))
			return true;
		if (want.len > 2 && want.ptr[0] == '*' && want.ptr[1] == '.' && name.len > want.len - 1 &&
		    pl_str_ieq(pl_strn(want.ptr + 1, want.len - 1),
		    pl_strn(name.ptr + name.len - (want.len - 1), want.len - 1)))
			return true;
	}
	return false;
}
