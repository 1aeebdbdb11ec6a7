/* SPDX-License-Identifier: ISC */
/*
 * The user that child processes run as. A master that started as root remains root, because it reads key files again at
 * a reload, and it handles no requests. All processes that communicate with others change to an unprivileged user.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/proc.h"

#define STATUS_NOPERM 77
#define DEFAULT_USER "parlour"

static int find_group(const char *name, struct priv *priv_r, char why[512])
{
	const struct group *group;

	if (name[0] == '\0')
		return 0;
	group = getgrnam(name);
	if (group == NULL) {
		snprintf(why, 512, "group: there is no group %s", name);
		return STATUS_NOPERM;
	}
	priv_r->gid = group->gr_gid;
	return 0;
}

static int find_as_root(const struct settings *s, struct priv *priv_r, char why[512])
{
	const char *name = s->user[0] != '\0' ? s->user : DEFAULT_USER;
	const struct passwd *user = getpwnam(name);

	if (user == NULL && s->user[0] == '\0')
		snprintf(why, 512,
		    "parlourd does not run as root: create a user (useradd --system %s), or name one with the "
		    "setting 'user', "
		    "or start parlourd as an ordinary user", DEFAULT_USER);
	else if (user == NULL)
		snprintf(why, 512, "user: there is no user %s", name);
	else if (user->pw_uid == 0)
		snprintf(why, 512, "user: %s is root, which is not allowed; name an ordinary user", name);
	if (user == NULL || user->pw_uid == 0)
		return STATUS_NOPERM;
	priv_r->active = true;
	priv_r->uid = user->pw_uid;
	priv_r->gid = user->pw_gid;
	snprintf(priv_r->user, sizeof(priv_r->user), "%s", name);
	return find_group(s->group, priv_r, why);
}

int priv_find(const struct config *config, struct priv *priv_r, char why[512])
{
	const struct settings *s = &config->s;
	const struct passwd *user;

	memset(priv_r, 0, sizeof(*priv_r));
	priv_r->uid = geteuid();
	priv_r->gid = getegid();
	if (geteuid() == 0)
		return find_as_root(s, priv_r, why);
	if (s->user[0] == '\0')
		return 0;
	user = getpwnam(s->user);
	if (user != NULL && user->pw_uid == geteuid())
		return 0;
	snprintf(why, 512, "user: only root can become %s; start parlourd as root or as %s", s->user, s->user);
	return STATUS_NOPERM;
}

bool priv_drop(const struct priv *priv, char why[512])
{
	if (priv->active && (initgroups(priv->user, priv->gid) != 0 ||
	    setresgid(priv->gid, priv->gid, priv->gid) != 0 || setresuid(priv->uid, priv->uid, priv->uid) != 0)) {
		snprintf(why, 512, "cannot become user %s: %s", priv->user, strerror(errno));
		return false;
	}
	if (geteuid() == 0 || getuid() == 0 || (priv->active && setuid(0) == 0)) {
		snprintf(why, 512, "still root after becoming %s", priv->user);
		return false;
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return true;
}
