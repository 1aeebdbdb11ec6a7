# shellcheck shell=sh
# SPDX-License-Identifier: ISC
# Functions that contrib/quickstart and contrib/check.sh share: progress, packages, the build. Sourced; sets no options.
# The caller sets src (the source tree) and later logs (directory of the logs) and dir.
# shellcheck disable=SC2154,SC2034

build_packages="gcc make autoconf automake pkg-config libevent-dev libpq-dev libcurl4-openssl-dev libyajl-dev libjwt-dev
	libssl-dev libargon2-dev libcrypt-dev libinih-dev libsqlite3-dev libunistring-dev curl util-linux"
check_packages="clang check groff-base prometheus python3-pytest python3-pytest-xdist python3-psycopg
	python3-websockets python3-httpx python3-aiosmtpd python3-cryptography python3-scipy python3-yaml mandoc shellcheck logrotate nginx-light
	apache2-bin chromium chromium-driver xz-utils systemd nodejs npm"

say() { printf '%s\n' "$*"; }
fail()
{
	status=$1
	shift
	printf 'quickstart: %s\n' "$*" >&2
	exit "$status"
}

# step "what" logfile command...: one line of progress; the log's tail when it fails.
step()
{
	what=$1 log=$2
	shift 2
	printf '  %-58s ' "$what"
	began=$(date +%s)
	if "$@" >"$log" 2>&1 </dev/null; then
		printf 'ok (%s s)\n' $(($(date +%s) - began))
		return 0
	fi
	printf 'FAILED (%s s)\n' $(($(date +%s) - began))
	tail -n 30 "$log" | sed 's/^/    | /'
	say "    the whole log: $log"
	return 1
}

# ---- packages ----

is_installed()
{
	case $1 in
	pkg-config) command -v pkg-config >/dev/null 2>&1 ;;
	postgresql) [ -n "$(pg_bindir)" ] ;;
	nginx-light) [ -x /usr/sbin/nginx ] ;;
	nodejs) command -v node >/dev/null 2>&1 ;;
	npm) command -v npm >/dev/null 2>&1 ;;
	*) dpkg-query -W -f='${Status}\n' "$1" 2>/dev/null | grep -q '^install ok installed' ;;
	esac
}

# The newest PostgreSQL server of version 15 or later.
pg_bindir()
{
	for programs in /usr/lib/postgresql/*/bin; do
		version=${programs#/usr/lib/postgresql/}
		version=${version%/bin}
		case $version in *[!0-9]* | '') continue ;; esac
		[ "$version" -lt 15 ] || [ ! -x "$programs/initdb" ] || printf '%s %s\n' "$version" "$programs"
	done | sort -n | tail -n 1 | cut -d ' ' -f 2
}

# Installs as root and keeps the new packages from starting services or making a main cluster. The two files are
# written only when they do not exist, and are removed again.
apt_script()
{
	cat <<'END'
set -eu
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/parlour-quickstart.conf
made=
trap 'for f in $made; do rm -f "$f"; done' EXIT
trap 'exit 1' INT TERM HUP
if [ ! -e "$policy" ]; then
	made=$policy
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 0755 "$policy"
fi
if [ ! -e "$cluster" ]; then
	made="$made $cluster"
	mkdir -p /etc/postgresql-common/createcluster.d
	printf 'create_main_cluster = false\n' >"$cluster"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q || echo "apt-get update failed; continuing with the existing lists"
apt-get install -q -y --no-install-recommends "$@"
END
}

need_packages()
{
	missing=
	command -v dpkg-query >/dev/null 2>&1 || {
		say "  This is not Debian: the build reports missing libraries."
		return 0
	}
	for package in "$@"; do
		is_installed "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	say "  Missing Debian packages:$missing"
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null 2>&1 || fail 69 "install them as root: apt-get install$missing"
		sudo=sudo
		[ -t 0 ] || sudo='sudo -n'
	fi
	if [ -t 0 ]; then
		printf '  Install them now%s? [Y/n] ' "${sudo:+ (by sudo)}"
		read -r answer
		case $answer in [Nn]*) fail 69 "install them yourself: apt-get install$missing" ;; esac
		[ -z "$sudo" ] || sudo -v
	fi
	# shellcheck disable=SC2086  # both are lists of words
	step "installing packages" "$logs/apt.log" $sudo sh -c "$(apt_script)" quickstart $missing ||
		fail 69 "the installation failed; as root, run: apt-get install$missing"
}

# ---- build ----

bootstrap_if_old()
{
	if [ ! -x "$src/configure" ] || [ -n "$(find "$src/configure.ac" "$src/Makefile.am" "$src/sources.am" \
		-newer "$src/configure" 2>/dev/null)" ]; then
		step "bootstrap (autoconf, automake)" "$logs/bootstrap.log" "$src/bootstrap" || exit 70
		touch "$src/configure"
	fi
	[ ! -e "$src/config.status" ] || fail 78 "the source tree itself is configured; first run: make -C $src distclean"
}

check_path()
{
	case $1 in
	*[!A-Za-z0-9_./+,@:~-]*) fail 64 "paths must not contain blanks or special characters: $src, $dir" ;;
	esac
}

# configure_in DIR LABEL options...: only if there is no makefile; later, make handles changes.
configure_in()
{
	where=$1 label=$2
	shift 2
	mkdir -p "$where"
	[ -e "$where/Makefile" ] ||
		step "configure$label" "$logs/configure$label.log" env -C "$where" "$src/configure" --quiet "$@"
}

jobs=$(nproc 2>/dev/null || echo 2)
