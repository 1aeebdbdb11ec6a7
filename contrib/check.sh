# shellcheck shell=sh
# SPDX-License-Identifier: ISC
# contrib/quickstart check: every build and every test, with totals. Sourced by quickstart after common.sh.
# shellcheck disable=SC2154

passed=0 failed=0

# tally STATUS LOG...: adds up the counts in the logs (pytest, unit, lint), or one for a step without counts. All
# requirements of the tests were installed, so a skipped test counts as failed.
tally()
{
	result=$1
	shift
	counts=$(cat "$@" 2>/dev/null | awk -v result="$result" '
		function number(word,   at) { return match($0, "[0-9]+ " word) ? substr($0, RSTART, RLENGTH) + 0 : 0 }
		/^ +skipped$/ { f++; next }
		seen[$0]++ { next }
		/[0-9]+ (passed|failed|skipped|errors?).* in [0-9.]+s/ || /^[a-z]*:? ?[0-9]+ passed, [0-9]+ failed/ {
			p += number("passed"); f += number("failed") + number("error") + number("skipped") }
		END { if (p + f == 0) p = (result == 0); if (result != 0 && f == 0) f = 1; print p + 0, f + 0 }')
	passed=$((passed + ${counts% *})) failed=$((failed + ${counts#* }))
	say "      ${counts% *} passed, ${counts#* } failed"
}

# count "what" name command... : a step whose log and further logs (in $also) are tallied.
count()
{
	what=$1 log=$logs/$2.log result=0
	shift 2
	step "$what" "$log" "$@" || result=1
	# shellcheck disable=SC2086  # a list of paths without blanks
	tally "$result" "$log" $also
	# shellcheck disable=SC2086
	[ "$result" -ne 0 ] || ! grep -Eh '^SKIPPED|^ +skipped$|[0-9]+ skipped.* in [0-9.]+s' "$log" $also ||
		say "      skipped tests count as failed"
	return "$result"
}

do_check()
{
	dir=${PARLOUR_CHECK_DIR:-$PWD/.parlour/check}
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd -P) logs=$dir/log also=
	check_path "$src$dir"
	mkdir -p "$logs"
	started=$(date +%s)
	say "Checking Parlour in $dir"
	# shellcheck disable=SC2086  # lists of words
	need_packages $build_packages postgresql $check_packages
	# The packages above are for the Python of Debian, even if another one is first in PATH.
	[ ! -x /usr/bin/python3 ] || { PYTHON3=/usr/bin/python3 && export PYTHON3; }
	bootstrap_if_old
	gcc=$dir/gcc
	if configure_in "$gcc" -gcc --enable-werror CC=gcc &&
		count "build with gcc, warnings are errors" build-gcc make -C "$gcc" -j "$jobs"; then
		also="$gcc/unit.log $gcc/tests/lint/run.sh.log $gcc/tests/fuzz/corpora.sh.log"
		count "unit tests, lint, fuzz corpora" check make -C "$gcc" -j "$jobs" check VERBOSE=1 || :
		also=
		# Most tests wait most of the time. The ledger uses all free CPU time, so the others get longer deadlines.
		side_by_side="-n $([ "$jobs" -lt 4 ] && echo "$jobs" || echo 4) --dist loadfile"
		count "end-to-end tests (ledger: ${LEDGER_SECONDS:-60} s)" e2e env PARLOUR_TEST_SLOW=2 \
			make -C "$gcc" check-e2e "PYTEST_ARGS=$side_by_side" || :
		asan=$gcc/build-asan
		also="$asan/unit.log $asan/tests/lint/run.sh.log $asan/tests/fuzz/corpora.sh.log"
		count "the same with AddressSanitizer (part of end-to-end)" asan env PARLOUR_TEST_SLOW=3 LEDGER_SECONDS=15 \
			make -C "$gcc" -j "$jobs" check-asan "PYTEST_ARGS=$side_by_side -k 'accounts or rooms or test_ws or ledger'" || :
		also=
		count "release archive: builds, checks, installs, uninstalls" distcheck make -C "$gcc" -j "$jobs" distcheck || :
	elif [ "$failed" -eq 0 ]; then
		failed=1
	fi
	if configure_in "$dir/clang" -clang --enable-werror CC=clang; then
		count "build with clang, warnings are errors" build-clang make -C "$dir/clang" -j "$jobs" || :
	else
		failed=$((failed + 1))
	fi
	say ""
	say "Logs: $logs; time: $((($(date +%s) - started) / 60)) min $((($(date +%s) - started) % 60)) s"
	say "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
}
