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
: >"$work/bad"
while IFS= read -r object; do
	# C symbols only: sanitizers add their own with dots and leading underscores.
	nm --defined-only --extern-only "$object" | awk '$3 != "" && $3 !~ /[.]/ && $3 !~ /^_/ { print $3 }' >"$work/names"
	grep -E "$foreign" "$work/names" | sed "s|^|$object: belongs to a library: |" >>"$work/bad" || :
	case $object in
	"$build"/lib/pool.o) grep -vE '^pl_|^(m|c|re)alloc$|^free$' "$work/names" | sed "s|^|$object: exported without pl_: |" >>"$work/bad" || : ;;
	"$build"/lib/*) grep -v '^pl_' "$work/names" | sed "s|^|$object: exported without pl_: |" >>"$work/bad" || : ;;
	esac
done <"$work/objects"
cat "$work/bad"
echo "symbols: $(wc -l <"$work/objects") objects, $(wc -l <"$work/bad") problems"
[ ! -s "$work/bad" ]
