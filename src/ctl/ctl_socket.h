/* SPDX-License-Identifier: ISC */
/*
 * Finds the control socket of the running daemon if its configuration file is invalid.
 */
#ifndef CTL_SOCKET_H
#define CTL_SOCKET_H

#define CTL_SOCKET_MAX 108

/*
 * The value of control_socket: of an -o argument, else of a line above the first section of the file, else the default.
 * The file is not checked: a file that is being edited must not prevent an operator from stopping the daemon, or from
 * requesting a reload that reports the error.
 */
void ctl_socket_find(const char *path, const char *const *overrides, int overrides_count,
    char socket_r[CTL_SOCKET_MAX]);

#endif
