#!/bin/sh
# SPDX-License-Identifier: ISC
# Replays every fuzz corpus through its target (in a fuzzing build: libFuzzer reads the same folders).
set -eu
src=${PARLOUR_SRC:-$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)}
build=${PARLOUR_BUILD:-$src}
failed=0
for name in wsframe sse json token cfg multipart read; do
	echo "-- fuzz_$name"
	"$build/fuzz_$name" "$src/tests/fuzz/corpus/$name" || failed=1
done
exit $failed
