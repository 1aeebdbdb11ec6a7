/* SPDX-License-Identifier: ISC */
/*
 * Where the running daemon's control socket is when its configuration file cannot be used as a whole.
 */
#ifndef CTL_SOCKET_H
#define CTL_SOCKET_H

#define CTL_SOCKET_MAX 108

/*
 * control_socket of an -o argument, else of a line of the file above its first section, else the default. Nothing is
 * checked: a file that is being edited must not keep an operator from stopping the daemon or from a refused reload.
 */
void ctl_socket_find(const char *path, const char *const *overrides, int overrides_count,
    char socket_r[CTL_SOCKET_MAX]);

#endif
