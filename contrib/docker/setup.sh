#!/bin/sh
# SPDX-License-Identifier: ISC
# Key, configuration and database for the containers of compose.yaml; may be repeated: existing ones are kept. ADMIN_DSN: a
# connection string of a superuser. PARLOUR_APP_PASSWORD: for parlour_app (letters and digits). DB_HOST: host of PostgreSQL.
set -eu
: "${ADMIN_DSN:?}" "${PARLOUR_APP_PASSWORD:?}" "${DB_HOST:=db}"
umask 077
[ -s /etc/parlour/token.key ] || parlourctl genkey /etc/parlour/token.key
[ -s /etc/parlour/parlour.conf ] || cat >/etc/parlour/parlour.conf <<END
listen = 0.0.0.0:8000
metrics_listen = 0.0.0.0:9464
key_file = /etc/parlour/token.key
control_socket = /run/parlour/control
db = host=$DB_HOST dbname=parlour user=parlour_app password=$PARLOUR_APP_PASSWORD
END
parlourctl initdb --dsn "$ADMIN_DSN dbname=postgres"
parlourctl migrate --dsn "$ADMIN_DSN dbname=parlour options='-c role=parlour_owner'"
