#!/bin/sh
# SPDX-License-Identifier: ISC
# mandoc's opinion of the manual pages, written and generated. Usage: manpages.sh SRCDIR [BUILDDIR]
set -eu
src=${1:-.} build=${2:-${PARLOUR_BUILD:-$src}}
mandoc=${MANDOC:-mandoc}
command -v "$mandoc" >/dev/null 2>&1 || {
	echo "manpages: mandoc is not installed (apt-get install mandoc)"
	exit 77
}
count=0 bad=0
for page in "$src"/man/*.[1-9] "$build"/man/*.[1-9]; do
	[ -e "$page" ] || continue
	count=$((count + 1))
	"$mandoc" -Tlint -W warning "$page" || bad=$((bad + 1))
done
echo "manpages: $count pages, $bad with problems"
[ "$bad" -eq 0 ] && [ "$count" -gt 0 ]
