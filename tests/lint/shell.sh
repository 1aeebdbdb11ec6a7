#!/bin/sh
# SPDX-License-Identifier: ISC
# Every shell script of ours goes through shellcheck. Usage: shell.sh SRCDIR
set -eu
cd "${1:-.}"
command -v shellcheck >/dev/null 2>&1 || {
	echo "shell: shellcheck is not installed (apt-get install shellcheck)"
	exit 77
}
set --
for file in bootstrap .ci/run contrib/* contrib/*/*.sh tests/*/*.sh; do
	[ -f "$file" ] || continue
	case $(head -n 1 "$file") in
	'#!/bin/sh'* | '# shellcheck shell=sh'*) set -- "$@" "$file" ;;
	esac
done
shellcheck -x "$@"
echo "shell: $# scripts, 0 problems"
