/* SPDX-License-Identifier: ISC */
/*
 * Reads a password from a file or from the terminal (termios(3), without echo).
 */
#include "ctl/ctl_password.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "leaf.h"

enum { MADE_BYTES = 15 };	/* 120 random bits: 20 characters */

/* Reads a line without its end; false: it is too long, or the file ended first. */
static bool read_line(FILE *file, char text[CTL_PASSWORD_MAX + 1])
{
	size_t len = 0;
	int c;

	while ((c = getc(file)) != EOF && c != '\n') {
		if (len == CTL_PASSWORD_MAX)
			return false;
		text[len++] = (char)c;
	}
	if (len > 0 && text[len - 1] == '\r')
		len--;
	text[len] = '\0';
	return c != EOF || len > 0;
}

static bool from_file(const char *path, struct ctl_password *password, char why[512])
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	bool good;

	if (file == NULL) {
		snprintf(why, 512, "cannot read %s: %s", path, strerror(errno));
		return false;
	}
	good = read_line(file, password->text);
	if (file != stdin)
		fclose(file);
	if (!good)
		snprintf(why, 512,
		    "the first line of %s must be a password of at most %d bytes", path, CTL_PASSWORD_MAX);
	return good;
}

/* Waits for a line; false: a signal came first. */
static bool line_came(FILE *terminal, int signals)
{
	struct pollfd fds[] = { { .fd = fileno(terminal), .events = POLLIN }, { .fd = signals, .events = POLLIN } };

	return poll(fds, PL_COUNT(fds), -1) > 0 && fds[1].revents == 0;
}

static bool ask(FILE *terminal, int signals, const char *prompt, char text[CTL_PASSWORD_MAX + 1])
{
	bool good;

	fputs(prompt, terminal);
	fflush(terminal);
	good = line_came(terminal, signals) && read_line(terminal, text);
	fputc('\n', terminal);
	return good;
}

static bool ask_twice(FILE *terminal, int signals, struct ctl_password *password, char why[512])
{
	char again[CTL_PASSWORD_MAX + 1] = "";
	bool good, same;

	good = ask(terminal, signals, "New password (empty: generate one): ", password->text);
	if (good && password->text[0] == '\0')
		return true;
	good = good && ask(terminal, signals, "Repeat the password: ", again);
	same = good && strcmp(again, password->text) == 0;
	pl_wipe(again, sizeof(again));
	if (!same)
		snprintf(why, 512, good ? "the two passwords differ" : "the password must have at most %d bytes",
		    CTL_PASSWORD_MAX);
	return same;
}

/*
 * The echo is off before the first prompt appears, so that nothing that is typed after it is shown or lost. It is on
 * again before a signal ends the process.
 */
static bool from_terminal(FILE *terminal, struct ctl_password *password, char why[512])
{
	struct termios before, quiet;
	sigset_t deadly, mask;
	int signals;
	bool good;

	sigemptyset(&deadly);
	sigaddset(&deadly, SIGHUP);
	sigaddset(&deadly, SIGINT);
	sigaddset(&deadly, SIGQUIT);
	sigaddset(&deadly, SIGTERM);
	signals = signalfd(-1, &deadly, SFD_CLOEXEC);
	if (signals == -1 || tcgetattr(fileno(terminal), &before) != 0) {
		snprintf(why, 512, "cannot turn off the echo of the terminal: %s", strerror(errno));
		if (signals != -1)
			close(signals);
		return false;
	}
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	sigprocmask(SIG_BLOCK, &deadly, &mask);
	tcsetattr(fileno(terminal), TCSAFLUSH, &quiet);
	good = ask_twice(terminal, signals, password, why);
	tcsetattr(fileno(terminal), TCSADRAIN, &before);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(signals);
	return good;
}

bool ctl_password_get(const char *path, struct ctl_password *password_r, char why[512])
{
	unsigned char random[MADE_BYTES];
	FILE *terminal;
	bool good = true;

	memset(password_r, 0, sizeof(*password_r));
	if (path != NULL)
		return from_file(path, password_r, why);
	terminal = isatty(STDIN_FILENO) ? fopen("/dev/tty", "r+e") : NULL;
	if (terminal != NULL) {
		good = from_terminal(terminal, password_r, why);
		fclose(terminal);
	}
	if (good && password_r->text[0] == '\0') {
		pl_random(random, sizeof(random));
		pl_b64url_encode(random, sizeof(random), password_r->text);
		pl_wipe(random, sizeof(random));
		password_r->made = true;
	}
	return good;
}
