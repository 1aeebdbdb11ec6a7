#!/bin/sh
# SPDX-License-Identifier: ISC
# Makes Swagger UI and Redoc with npm. Usage: make.sh SOURCE OUT yes|auto
# `auto`: without a registry there are no such files, and /docs and /redoc serve the plain reference.
set -eu
source=$1 out=$2 needed=$3
work=$out.npm
patience=	# npm's own: 70 seconds where the registry refuses, a quarter of an hour where it is silent
[ "$needed" = yes ] || patience="--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=30000"
rm -rf "$work" "$out"
mkdir -p "$work" "$out"
cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$work/"
# shellcheck disable=SC2086
if (cd "$work" && "${NPM:-npm}" ci --no-progress $patience >npm.log 2>&1) &&
	"${NODE:-node}" "$source/collect.mjs" "$work/node_modules" "$source" "$out" >>"$work/npm.log" 2>&1; then
	rm -rf "$work"
elif [ "$needed" = yes ]; then
	cat "$work/npm.log" >&2
	echo "make.sh: npm could not get Swagger UI and Redoc; configure --without-docs does without them" >&2
	exit 1
else
	tail -n 3 "$work/npm.log" >&2
	echo "make.sh: no Swagger UI and Redoc: npm could not get them; /docs and /redoc serve the plain reference" \
		"(make clean and make try again)" >&2
	rm -rf "$out"
	mkdir -p "$out"
fi
: >"$out/stamp"
