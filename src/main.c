/* SPDX-License-Identifier: ISC */
/*
 * parlourd: options, then the master.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/app.h"
#include "core/proc.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unreleased"
#endif
#ifndef PARLOUR_CONFIG
#define PARLOUR_CONFIG "/etc/parlour/parlour.conf"
#endif

#define STATUS_USAGE 64
#define STATUS_CONFIG 78
#define OVERRIDES_MAX 256

struct options {
	struct pl_pool *pool;
	const char *config_path;
	const char *overrides[OVERRIDES_MAX];
	int overrides_count;
	bool foreground, single, test, tables, version, help;
};

static void usage(FILE *out)
{
	fprintf(out,
	    "usage: parlourd [-1fhTtV] [-c FILE] [-o name=value]...\n"
	    "  -c, --config FILE     configuration file (default %s, if it exists)\n"
	    "  -o, --set name=value  one setting; overrides the file; can be repeated; in a section:\n"
	    "                        llm.NAME.name=value\n"
	    "  -f, --foreground      stay in the foreground\n"
	    "  -1, --single          run as one process (with -f; for debuggers)\n"
	    "  -t, --test            check configuration, keys, and database, and exit: 0 valid, 78 invalid\n"
	    "  -T, --tables          the same, and print settings, limits, routes, and connections\n"
	    "  -V, --version         print the version\n"
	    "  -h, --help            print this text\n"
	    "Signals to the master: TERM or INT stops, QUIT drains, HUP reloads, USR1 reopens the logs,\n"
	    "TTIN and TTOU add and remove a worker. See parlourd(8).\n",
	    PARLOUR_CONFIG);
}

/* Copies the options, because the names of processes overwrite the argv area. */
static bool options_read(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", 1, NULL, 'c' }, { "set", 1, NULL, 'o' }, { "foreground", 0, NULL, 'f' },
		{ "single", 0, NULL, '1' }, { "test", 0, NULL, 't' }, { "tables", 0, NULL, 'T' },
		{ "version", 0, NULL, 'V' }, { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "f1tTVhc:o:", longs, NULL)) != -1) {
		if (letter == 'f')
			o->foreground = true;
		else if (letter == '1')
			o->single = true;
		else if (letter == 't')
			o->test = true;
		else if (letter == 'T')
			o->test = o->tables = true;
		else if (letter == 'V')
			o->version = true;
		else if (letter == 'h')
			o->help = true;
		else if (letter == 'c')
			o->config_path = pl_strdup(o->pool, optarg);
		else if (letter == 'o' && o->overrides_count < OVERRIDES_MAX)
			o->overrides[o->overrides_count++] = pl_strdup(o->pool, optarg);
		else
			return false;
	}
	if (optind < argc)
		fprintf(stderr, "parlourd: unexpected argument: %s\n", argv[optind]);
	if (o->single && !o->foreground)
		fprintf(stderr, "parlourd: -1 requires -f\n");
	return optind == argc && (!o->single || o->foreground);
}

static int test_config(const struct options *o)
{
	char why[512];
	struct config *config = config_read(o->config_path, o->overrides, o->overrides_count, why);
	int status;

	if (config == NULL || !config_secrets(config, why) || !app_check(why)) {
		fprintf(stderr, "parlourd: %s\n", why);
		config_release(&config);
		return STATUS_CONFIG;
	}
	status = app_test(config, o->tables, stdout);
	if (!o->tables && status == 0)
		printf("parlourd: %s is valid, and the database is ready\n",
		    o->config_path != NULL ? o->config_path : "the default configuration");
	config_release(&config);
	return status;
}

static int run(const struct options *o)
{
	struct master_opts opts = {
		.config_path = o->config_path,
		.overrides = o->overrides,
		.overrides_count = o->overrides_count,
		.foreground = o->foreground,
		.single = o->single,
		.check = app_check,
		.preflight = app_preflight,
		.render = app_render,
		.worker = app_worker_hooks,
		.clerk = app_clerk_hooks,
		.courier = app_courier_hooks,
	};

	return master_run(&opts);
}

int main(int argc, char **argv)
{
	struct options options = { .pool = pl_pool_new(0) };
	int status = 0;

	if (!options_read(&options, argc, argv)) {
		usage(stderr);
		pl_pool_free(&options.pool);
		return STATUS_USAGE;
	}
	proc_title_init(argc, argv);
	if (options.config_path == NULL && access(PARLOUR_CONFIG, F_OK) == 0)
		options.config_path = PARLOUR_CONFIG;
	if (options.help)
		usage(stdout);
	else if (options.version)
		printf("parlourd %s\n", PACKAGE_VERSION);
	else
		status = options.test ? test_config(&options) : run(&options);
	pl_pool_free(&options.pool);
	return status;
}
