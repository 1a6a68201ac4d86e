#!/bin/bash
# Takes what the official mysql image takes, as far as the tests go: MYSQL_ROOT_PASSWORD, MYSQL_DATABASE, MYSQL_USER,
# MYSQL_PASSWORD, files in /etc/mysql/conf.d; arguments go to the server. The accounts log in by caching_sha2_password;
# the server makes its certificates.
set -euo pipefail
data=/var/lib/mysql
socket=/run/mysqld/mysqld.sock
config=/run/mysqld/my.cnf
options=(--datadir="$data" --socket="$socket" --pid-file=/run/mysqld/mysqld.pid --skip-name-resolve
  --mysqlx=OFF --secure-file-priv=NULL)

if [ "$(id -u)" = 0 ]; then
  install -d -o mysql -g mysql "$data" /run/mysqld
  install -d /etc/mysql/conf.d
  echo '!includedir /etc/mysql/conf.d/' >"$config"
  exec gosu mysql "$0" "$@"
fi

if [ ! -d "$data/mysql" ]; then
  mysqld --no-defaults "${options[@]}" --initialize-insecure
  # Nobody outside sees the server before it is complete.
  mysqld --no-defaults "${options[@]}" --skip-networking &
  temporary=$!
  until mysqladmin --no-defaults --user=root --socket="$socket" --silent ping; do sleep 0.1; done
  mysql --no-defaults --user=root --socket="$socket" <<SQL
CREATE DATABASE \`${MYSQL_DATABASE:-app}\`;
CREATE USER '${MYSQL_USER:-app}'@'%' IDENTIFIED BY '${MYSQL_PASSWORD:?must be set}';
GRANT ALL ON \`${MYSQL_DATABASE:-app}\`.* TO '${MYSQL_USER:-app}'@'%';
CREATE USER 'root'@'%' IDENTIFIED BY '${MYSQL_ROOT_PASSWORD:?must be set}';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' IDENTIFIED BY '${MYSQL_ROOT_PASSWORD}';
SQL
  kill "$temporary"
  wait "$temporary"
fi
exec mysqld --defaults-file="$config" "${options[@]}" "$@"
