/* SPDX-License-Identifier: ISC */
/*
 * The pid file. Its lock decides whether the daemon runs; the number in it is for people. fcntl locks are not
 * inherited, so a worker that outlives its master does not hold it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/proc.h"

#define STATUS_CANTCREAT 73
#define STATUS_NOPERM 77

static bool lock_whole(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &lock) == 0;
}

/* Checks whether the locked file still has that name, because its former owner may have removed it meanwhile. */
static bool still_named(int fd, const char *path)
{
	struct stat mine, there;

	return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
	    mine.st_dev == there.st_dev;
}

int pidfile_open(struct pidfile *pidfile, const char *path, char why[512])
{
	pidfile->fd = -1;
	snprintf(pidfile->path, sizeof(pidfile->path), "%s", path);
	if (path[0] == '\0')
		return 0;
	for (int tries = 0; tries < 10; tries++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (fd < 0) {
			snprintf(why, 512, "pid_file: %.300s: %s", path, strerror(errno));
			return errno == EACCES || errno == EPERM ? STATUS_NOPERM : STATUS_CANTCREAT;
		}
		if (!lock_whole(fd)) {
			close(fd);
			snprintf(why, 512, "pid_file: %.300s is locked: another parlourd is running", path);
			return STATUS_CANTCREAT;
		}
		if (still_named(fd, path)) {
			pidfile->fd = fd;
			return 0;
		}
		close(fd);
	}
	snprintf(why, 512, "pid_file: %.300s keeps disappearing", path);
	return STATUS_CANTCREAT;
}

bool pidfile_write(const struct pidfile *pidfile, pid_t pid)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)pid);

	if (pidfile->fd < 0)
		return true;
	return ftruncate(pidfile->fd, 0) == 0 && pwrite(pidfile->fd, text, (size_t)len, 0) == len;
}

void pidfile_close(struct pidfile *pidfile)
{
	if (pidfile->fd < 0)
		return;
	unlink(pidfile->path);	/* before unlocking, so that no new owner can have the name yet */
	close(pidfile->fd);
	pidfile->fd = -1;
}
