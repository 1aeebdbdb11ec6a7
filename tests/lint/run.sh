#!/bin/sh
# SPDX-License-Identifier: ISC
# All lints. Usage: run.sh, with PARLOUR_SRC and PARLOUR_BUILD in the environment (make check sets them).
set -u
src=${PARLOUR_SRC:-$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)}
build=${PARLOUR_BUILD:-$src}
python=${PYTHON3:-python3}
passed=0 failed=0

lint()
{
	echo "-- $*"
	"$@"
	case $? in
	0) passed=$((passed + 1)) ;;
	77) echo "   skipped" ;;
	*)
		failed=$((failed + 1))
		echo "   FAILED: $*"
		;;
	esac
}

here=$src/tests/lint
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
for tool in layers holds headers sizes routes_covered frames_covered samples english; do
	lint "$python" "$here/$tool.py" "$src"
done
lint sh "$here/manpages.sh" "$src" "$build"
lint sh "$here/symbols.sh" "$src" "$build"
lint sh "$here/shell.sh" "$src"
lint sh "$here/words.sh" "$src"
lint sh "$src/contrib/sources" --check
echo "lint: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
