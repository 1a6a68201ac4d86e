#!/bin/bash
# Takes what the official postgres image takes, as far as the tests go: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB.
set -euo pipefail
PGDATA=/var/lib/postgresql/data
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
export PATH PGDATA

if [ "$(id -u)" = 0 ]; then
  install -d -o postgres -g postgres -m 700 "$PGDATA" /run/postgresql
  exec gosu postgres "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}
  initdb --username="$user" --pwfile=<(echo "${POSTGRES_PASSWORD:?must be set}") --auth-host=scram-sha-256 \
    --locale=C.UTF-8 --encoding=UTF8 --no-sync
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
  # Nobody outside sees the server before it is complete.
  pg_ctl --options="-c listen_addresses=''" --wait start
  [ "$database" = postgres ] || createdb --username="$user" "$database"
  pg_ctl --mode=fast --wait stop
fi
exec postgres "$@"
