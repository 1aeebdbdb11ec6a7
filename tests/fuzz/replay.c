/* SPDX-License-Identifier: ISC */
/*
 * Runs every file of the directories given as arguments through the fuzzer's entry, for compilers without libFuzzer
 * and for `make check`. A finding aborts; a file that cannot be read counts as failed.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "str.h"

static bool run_file(const char *path)
{
	struct pl_buf bytes = PL_BUF(NULL);
	FILE *file = fopen(path, "rb");
	unsigned char *exact;
	bool ok;
	size_t n;

	if (file == NULL)
		return false;
	do {
		n = fread(pl_buf_room(&bytes, 4096), 1, 4096, file);
		bytes.len += n;
	} while (n > 0);
	ok = ferror(file) == 0;
	fclose(file);
	/* A separate allocation of exactly this size, so that a sanitizer detects reads beyond its end. */
	exact = pl_new(bytes.len);
	if (bytes.len > 0)
		memcpy(exact, bytes.ptr, bytes.len);
	ok = ok && LLVMFuzzerTestOneInput(exact, bytes.len) == 0;
	pl_free(exact);
	pl_buf_fini(&bytes);
	return ok;
}

static void run_directory(const char *path, int *passed, int *failed)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL) {
		perror(path);
		++*failed;
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		struct pl_pool *pool;
		const char *file;

		if (entry->d_name[0] == '.')
			continue;
		pool = pl_pool_new(0);
		file = pl_sprintf(pool, "%s/%s", path, entry->d_name);
		if (run_file(file)) {
			++*passed;
		} else {
			fprintf(stderr, "%s failed\n", file);
			++*failed;
		}
		pl_pool_free(&pool);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	int passed = 0, failed = 0;

	for (int i = 1; i < argc; i++)
		run_directory(argv[i], &passed, &failed);
	printf("%d passed, %d failed\n", passed, failed);
	return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
