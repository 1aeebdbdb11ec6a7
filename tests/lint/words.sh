#!/bin/sh
# SPDX-License-Identifier: ISC
# Words that must not be in the tree: marks of unfinished work, paths of somebody's machine, blanks at the end of a line.
# Usage: words.sh SRCDIR
set -eu
cd "${1:-.}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -e .git ] && command -v git >/dev/null 2>&1 && git ls-files -co --exclude-standard >"$work/all" 2>/dev/null; then :; else
	find . -type f ! -path '*/.*/*' ! -name '*.o' | sed 's|^\./||' >"$work/all"
fi
# Ours only: what autotools makes, test inputs and documents from others are left out.
grep -E '^(lib|src|sql|tests|etc|contrib|man|\.ci)/|^(configure\.ac|Makefile\.am|sources\.am|bootstrap|README|NEWS|HACKING|SECURITY)' \
	"$work/all" | grep -vE '/(corpus|seeds|node_modules|__pycache__)/|\.(png|ico|woff2|gz|o|a|log|trs|pyc)$' >"$work/list" || :
tr '\n' '\0' <"$work/list" >"$work/list0"
# grep's status is not looked at: listed files may have been deleted.
search()
{
	xargs -0 grep -snIHE "$1" <"$work/list0" | sed "s/\$/   <- $2/" || :
}
{
	search '\b(TO[D]O|FIX[M]E|X[X]X)\b' unfinished
	search '(^|[^A-Za-z0-9_.])/(wor[k]|tmp/b-|hom[e]/[a-z]|roo[t]/[a-z])' 'path of a machine'
	search '[[:blank:]]+$' 'blank at the end'
} >"$work/bad"
cat "$work/bad"
echo "words: $(wc -l <"$work/list") files, $(wc -l <"$work/bad") problems"
[ ! -s "$work/bad" ] && [ -s "$work/list" ]
