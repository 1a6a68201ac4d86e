#!/bin/bash
# Takes what the official mariadb image takes, as far as the tests go: MARIADB_ROOT_PASSWORD, MARIADB_DATABASE,
# MARIADB_USER, MARIADB_PASSWORD; arguments go to the server.
set -euo pipefail
data=/var/lib/mysql
socket=/run/mysqld/mysqld.sock
options=(--datadir="$data" --socket="$socket" --skip-name-resolve)

if [ "$(id -u)" = 0 ]; then
  install -d -o mysql -g mysql "$data" /run/mysqld
  exec gosu mysql "$0" "$@"
fi

if [ ! -d "$data/mysql" ]; then
  mariadb-install-db --datadir="$data" --skip-test-db --auth-root-authentication-method=normal >/dev/null
  # Nobody outside sees the server before it is complete.
  mariadbd "${options[@]}" --skip-networking &
  temporary=$!
  until mariadb-admin --user=root --socket="$socket" --silent ping; do sleep 0.1; done
  mariadb --user=root --socket="$socket" <<SQL
CREATE DATABASE \`${MARIADB_DATABASE:-app}\`;
CREATE USER '${MARIADB_USER:-app}'@'%' IDENTIFIED BY '${MARIADB_PASSWORD:?must be set}';
GRANT ALL ON \`${MARIADB_DATABASE:-app}\`.* TO '${MARIADB_USER:-app}'@'%';
CREATE USER 'root'@'%' IDENTIFIED BY '${MARIADB_ROOT_PASSWORD:?must be set}';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' IDENTIFIED BY '${MARIADB_ROOT_PASSWORD}';
SQL
  kill "$temporary"
  wait "$temporary"
fi
exec mariadbd "${options[@]}" --bind-address=0.0.0.0 "$@"
