/* SPDX-License-Identifier: ISC */
/*
 * lookup_start -> hosts of the string (libpq) -> a thread for its names -> eventfd -> lists for libpq -> waiters
 *
 * The thread and the loop share one struct work, which the last of them to release it frees. If a resolver does not
 * return, its thread is abandoned and replaced.
 */
#include "db/conn/lookup.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "pool.h"
#include "str.h"

enum {
	HOSTS_MAX = 16,			/* libpq looks up further hosts itself */
	ADDRS_MAX = 8,			/* maximum number of addresses of one name */
	NAME_MAX_BYTES = 256,
	ADDR_MAX_BYTES = 64,
	FRESH_MS = 3000,		/* results are reused for this time; longer than the pause between attempts */
	STUCK_MS = 30000,		/* a thread that takes longer is replaced */
	THREADS_MAX = 4
};

struct host { char name[NAME_MAX_BYTES], addr[ADDR_MAX_BYTES], port[8]; bool ask; };

struct names {
	struct host hosts[HOSTS_MAX];
	int count, asks;		/* asks: number of hosts that must be looked up */
};

struct work {
	_Atomic int holders;
	int done_fd;
	struct names names;
	int count[HOSTS_MAX], error[HOSTS_MAX];		/* error: result of getaddrinfo() */
	char addrs[HOSTS_MAX][ADDRS_MAX][ADDR_MAX_BYTES];
};

/* One address to connect to. */
struct entry { int host; char addr[ADDR_MAX_BYTES]; };

struct lookup {
	struct event_base *base;
	struct work *work;			/* NULL: no thread is running */
	struct event *ev_done;
	int64_t start_ns;
	struct names found_names;		/* the names that found and found_ns are about */
	struct entry entries[HOSTS_MAX * ADDRS_MAX];
	int entries_count;
	int64_t found_ns;			/* 0: nothing was found */
	struct lookup_found found;		/* for the list of the last lookup */
	LIST_HEAD(, lookup_waiter) waiters;
};

static _Atomic int threads;

/* ---- the thread ---- */

static void work_release(struct work *work)
{
	if (atomic_fetch_sub(&work->holders, 1) > 1)
		return;
	close(work->done_fd);
	pl_free(work);
}

static void ask(struct work *work, int i)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	work->error[i] = getaddrinfo(work->names.hosts[i].name, NULL, &hints, &list);
	for (struct addrinfo *a = list; work->error[i] == 0 && a != NULL && work->count[i] < ADDRS_MAX; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, work->addrs[i][work->count[i]], ADDR_MAX_BYTES, NULL, 0,
		    NI_NUMERICHOST) == 0)
			work->count[i]++;
	if (list != NULL)
		freeaddrinfo(list);
}

static void *work_main(void *arg)
{
	struct work *work = arg;
	uint64_t one = 1;

	for (int i = 0; i < work->names.count; i++)
		if (work->names.hosts[i].ask)
			ask(work, i);
	while (write(work->done_fd, &one, sizeof(one)) != sizeof(one))
		;	/* EINTR: an eventfd has room for this */
	work_release(work);
	atomic_fetch_sub(&threads, 1);
	return NULL;
}

/* ---- the string ---- */

static bool is_address(const char *name)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
	struct addrinfo *list = NULL;
	bool is = getaddrinfo(name, NULL, &hints, &list) == 0;

	if (list != NULL)
		freeaddrinfo(list);
	return is;
}

/* Takes the next part of a list; "" after its end. false: the part is too long. */
static bool take_part(struct pl_str *list, char *part_r, size_t max)
{
	struct pl_str part = PL_STR("");

	part_r[0] = '\0';
	if (list->len > 0)
		pl_str_cut(list, ',', &part);
	if (part.len >= max)
		return false;
	memcpy(part_r, part.ptr, part.len);
	part_r[part.len] = '\0';
	return true;
}

static bool read_lists(struct pl_str hosts, struct pl_str addrs, struct pl_str ports, struct names *names)
{
	bool one_port = memchr(ports.ptr, ',', ports.len) == NULL;
	struct pl_str ports_left = ports;

	while (hosts.len > 0) {
		struct host *h = &names->hosts[names->count];

		if (names->count++ == HOSTS_MAX)
			return false;
		if (one_port)
			ports_left = ports;
		if (!take_part(&hosts, h->name, sizeof(h->name)) || !take_part(&addrs, h->addr, sizeof(h->addr)) ||
		    !take_part(&ports_left, h->port, sizeof(h->port)))
			return false;
		h->ask = h->addr[0] == '\0' && h->name[0] != '\0' && h->name[0] != '/' && h->name[0] != '@' &&
		    !is_address(h->name);
		names->asks += h->ask;
	}
	return true;
}

static struct pl_str option(const PQconninfoOption *options, const char *keyword)
{
	for (; options != NULL && options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0 && options->val != NULL)
			return pl_str(options->val);
	return PL_STR("");
}

/*
 * libpq adds the environment, services, and defaults. Because of the sslmode it fails before it looks up a name. If
 * *names_r is not usable, libpq does the lookups itself.
 */
static void read_string(const char *conninfo, struct names *names_r)
{
	static const char *const keys[] = { "dbname", "sslmode", NULL };
	const char *values[] = { conninfo, "none of libpq's", NULL };
	PGconn *pg = PQconnectStartParams(keys, values, 1);
	PQconninfoOption *options = pg != NULL ? PQconninfo(pg) : NULL;

	memset(names_r, 0, sizeof(*names_r));
	if (!read_lists(option(options, "host"), option(options, "hostaddr"), option(options, "port"), names_r))
		memset(names_r, 0, sizeof(*names_r));
	PQconninfoFree(options);
	PQfinish(pg);
}

/* ---- lists for libpq ---- */

static bool add_part(char *list, size_t max, bool first, const char *part)
{
	size_t len = strlen(list);

	return (size_t)snprintf(list + len, max - len, "%s%s", first ? "" : ",", part) < max - len;
}

static bool add_host(struct lookup_found *f, bool first, const struct host *h, const char *addr)
{
	return add_part(f->host, sizeof(f->host), first, h->name) &&
	    add_part(f->hostaddr, sizeof(f->hostaddr), first, addr) &&
	    add_part(f->port, sizeof(f->port), first, h->port);
}

static void add_entry(struct lookup *lookup, int host, const char *addr)
{
	struct entry *entry = &lookup->entries[lookup->entries_count++];

	entry->host = host;
	memcpy(entry->addr, addr, sizeof(entry->addr));
}

/* work NULL: there was nothing to look up. Hosts without an address are left out, because libpq skips them, too. */
static void make_entries(struct lookup *lookup, const struct names *names, const struct work *work)
{
	lookup->found_names = *names;
	lookup->entries_count = 0;
	for (int i = 0; i < names->count; i++) {
		if (!names->hosts[i].ask)
			add_entry(lookup, i, names->hosts[i].addr);
		for (int n = 0; names->hosts[i].ask && n < work->count[i]; n++)
			add_entry(lookup, i, work->addrs[i][n]);
	}
}

static const struct lookup_found *write_lists(struct lookup *lookup, unsigned first)
{
	struct lookup_found *f = &lookup->found;
	unsigned count = (unsigned)lookup->entries_count;
	bool fits = true;

	f->host[0] = f->hostaddr[0] = f->port[0] = f->why[0] = '\0';
	for (unsigned i = 0; fits && i < count; i++) {
		const struct entry *entry = &lookup->entries[(first + i) % count];

		fits = add_host(f, i == 0, &lookup->found_names.hosts[entry->host], entry->addr);
	}
	if (!fits)
		snprintf(f->why, sizeof(f->why), "the hosts have too many addresses");
	return f;
}

/* ---- in the loop ---- */

static void work_leave(struct lookup *lookup)
{
	if (lookup->work == NULL)
		return;
	event_free(lookup->ev_done);
	lookup->ev_done = NULL;
	work_release(lookup->work);
	lookup->work = NULL;
}

/* why NULL: something was found. */
static void tell_all(struct lookup *lookup, const char *why)
{
	struct lookup_waiter *w;
	LIST_HEAD(, lookup_waiter) all = LIST_HEAD_INITIALIZER(all);

	while ((w = LIST_FIRST(&lookup->waiters)) != NULL) {	/* those that begin to wait now wait for another
								 * lookup */
		LIST_REMOVE(w, link);
		LIST_INSERT_HEAD(&all, w, link);
	}
	while ((w = LIST_FIRST(&all)) != NULL) {
		lookup_cancel(w);
		write_lists(lookup, w->first);
		if (why != NULL)
			snprintf(lookup->found.why, sizeof(lookup->found.why), "%s", why);
		w->done(w->arg, &lookup->found);
	}
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *lookup = arg;
	const struct names *names = &lookup->work->names;
	char why[512] = "";
	bool good;

	make_entries(lookup, names, lookup->work);
	good = lookup->entries_count > 0;
	for (int i = names->count - 1; !good && i >= 0; i--)	/* reports the reason of the first host */
		if (names->hosts[i].ask)
			snprintf(why, sizeof(why), "could not look up the host name %s: %s", names->hosts[i].name,
			    gai_strerror(lookup->work->error[i]));
	lookup->found_ns = good ? pl_now_ns() : 0;
	work_leave(lookup);
	tell_all(lookup, good ? NULL : why);
}

/* The thread inherits the mask. Signals must be handled by the loop's thread. */
static bool thread_start(struct work *work)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	bool started;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	PL_BUG(pthread_attr_init(&attr) != 0 || pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) != 0);
	started = pthread_create(&thread, &attr, work_main, work) == 0;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return started;
}

static bool work_start(struct lookup *lookup, const struct names *names)
{
	struct work *work = pl_new(sizeof(*work));

	atomic_store(&work->holders, 2);
	work->names = *names;
	work->done_fd = eventfd(0, EFD_CLOEXEC);
	atomic_fetch_add(&threads, 1);
	if (work->done_fd < 0 || !thread_start(work)) {
		atomic_fetch_sub(&threads, 1);
		if (work->done_fd >= 0)
			close(work->done_fd);
		pl_free(work);
		return false;
	}
	lookup->work = work;
	lookup->start_ns = pl_now_ns();
	lookup->ev_done = event_new(lookup->base, work->done_fd, EV_READ, on_done, lookup);
	PL_BUG(lookup->ev_done == NULL || event_add(lookup->ev_done, NULL) != 0);
	return true;
}

static bool is_stuck(const struct lookup *lookup)
{
	return pl_now_ns() - lookup->start_ns > STUCK_MS * PL_NS_PER_MS && atomic_load(&threads) < THREADS_MAX;
}

const struct lookup_found *lookup_start(struct lookup *lookup, const char *conninfo, struct lookup_waiter *waiter)
{
	static const struct lookup_found nothing, no_thread = { .why = "no thread to look up the host name" };
	struct names names;

	PL_BUG(waiter->waiting);
	read_string(conninfo, &names);
	if (names.asks == 0 && (names.count < 2 || waiter->first == 0))
		return &nothing;
	if (names.asks == 0) {
		make_entries(lookup, &names, NULL);
		lookup->found_ns = 0;
		return write_lists(lookup, waiter->first);
	}
	if (lookup->found_ns != 0 && pl_now_ns() - lookup->found_ns < FRESH_MS * PL_NS_PER_MS &&
	    memcmp(&names, &lookup->found_names, sizeof(names)) == 0)
		return write_lists(lookup, waiter->first);
	if (lookup->work != NULL && (is_stuck(lookup) || memcmp(&names, &lookup->work->names, sizeof(names)) != 0))
		work_leave(lookup);
	if (lookup->work == NULL && !work_start(lookup, &names))
		return &no_thread;
	waiter->waiting = true;
	LIST_INSERT_HEAD(&lookup->waiters, waiter, link);
	return NULL;
}

void lookup_cancel(struct lookup_waiter *waiter)
{
	if (waiter->waiting)
		LIST_REMOVE(waiter, link);
	waiter->waiting = false;
}

struct lookup *lookup_new(struct event_base *base)
{
	struct lookup *lookup = pl_new(sizeof(*lookup));

	lookup->base = base;
	LIST_INIT(&lookup->waiters);
	return lookup;
}

void lookup_free(struct lookup **lookup)
{
	PL_BUG(!LIST_EMPTY(&(*lookup)->waiters));
	work_leave(*lookup);
	pl_free(*lookup);
	*lookup = NULL;
}
