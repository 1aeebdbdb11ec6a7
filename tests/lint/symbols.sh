#!/bin/sh
# SPDX-License-Identifier: ISC
# Names that our objects define. Usage: symbols.sh SRCDIR [BUILDDIR]
#
# libjwt links jansson, whose json_* would be replaced by ours of the same name; the same holds for the other libraries
# we link. What lib/ exports is called pl_*.
set -eu
build=${2:-${PARLOUR_BUILD:-.}}
foreign='^(json_|jsonp_|jwt_|PQ|pq[A-Z]|ev[a-z]*_|event_|bufferevent|curl_|Curl_|yajl_|argon2|ini_|EVP_|SSL_|BIO_)'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find "$build/lib" "$build/src" -name '*.o' >"$work/objects" 2>/dev/null || :
[ -s "$work/objects" ] || {
	echo "symbols: no objects in $build; build first"
	exit 77
}
# C symbols only: sanitizers add their own with dots and leading underscores.
xargs nm -A --defined-only --extern-only <"$work/objects" | awk -v foreign="$foreign" -v lib="$build/lib/" '
	NF < 3 || $NF ~ /[.]/ || $NF ~ /^_/ { next }
	{ object = $1; sub(/:[0-9a-f]*$/, "", object); name = $NF }
	name ~ foreign { print object ": belongs to a library: " name }
	index(object, lib) == 1 && name !~ /^pl_/ &&
	    !(object == lib "pool.o" && name ~ /^((m|c|re)alloc|free)$/) { print object ": exported without pl_: " name }
' >"$work/bad"
cat "$work/bad"
echo "symbols: $(wc -l <"$work/objects") objects, $(wc -l <"$work/bad") problems"
[ ! -s "$work/bad" ]
