#!/bin/sh
# SPDX-License-Identifier: ISC
# mandoc's opinion of the manual pages, written and generated, and whether tables and examples fit into 80 columns: read
# by mandoc, and by groff where it is installed. Usage: manpages.sh SRCDIR [BUILDDIR]
set -eu
src=${1:-.} build=${2:-${PARLOUR_BUILD:-$src}}
mandoc=${MANDOC:-mandoc}
command -v "$mandoc" >/dev/null 2>&1 || {
	echo "manpages: mandoc is not installed (apt-get install mandoc)"
	exit 77
}

# Lines of a rendered page that are wider than a terminal, without overstrikes and escapes.
too_wide()
{
	sed -e "s/.$(printf '\010')//g" -e "s/$(printf '\033')\[[0-9;]*m//g" |
		awk -v page="$1" -v by="$2" 'length($0) > 80 { print page ": wider than 80 columns by " by ": " $0; bad = 1 } END { exit bad }'
}

# A cell that is longer than its column's width, which is as long as the text behind -column, runs into the next one.
cells()
{
	awk -v page="$1" '
		/^\.Bl -column/ { n = 0; rest = $0
			while (match(rest, /"[^"]*"/)) { width[++n] = RLENGTH - 2; rest = substr(rest, RSTART + RLENGTH) }
			inside = 1; next }
		/^\.El/ { inside = 0 }
		inside && /^\.It/ { line = $0; sub(/^\.It /, "", line); m = split(line, cell, / Ta /)
			for (i = 1; i < m; i++) { gsub(/"|(^|[ ])(Sy|Cm|Er|Pa|Li) /, "", cell[i])
				if (length(cell[i]) > width[i]) { print page ": " cell[i] ": longer than its column"; bad = 1 } } }
		END { exit bad }' "$1"
}

count=0 bad=0
for page in "$src"/man/*.[1-9] "$build"/man/*.[1-9]; do
	[ -e "$page" ] || continue
	count=$((count + 1))
	"$mandoc" -Tlint -W warning "$page" || bad=$((bad + 1))
	cells "$page" || bad=$((bad + 1))
	"$mandoc" -Tascii -O width=78 "$page" | too_wide "$page" mandoc || bad=$((bad + 1))
	! command -v groff >/dev/null 2>&1 || groff -mandoc -Tascii -rLL=78n "$page" 2>/dev/null | too_wide "$page" groff || bad=$((bad + 1))
done
echo "manpages: $count pages, $bad with problems"
[ "$bad" -eq 0 ] && [ "$count" -gt 0 ]
