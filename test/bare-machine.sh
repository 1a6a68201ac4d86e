#!/usr/bin/env bash
# Runs a command as on a machine that has Node and a bare system: with none of the programs that some tests use where
# they are installed. Those that are installed are hidden in a mount namespace of the command's own. Where the system
# does not allow one, says so, and runs the command with what is there.
#
#   bare-machine.sh COMMAND [ARGUMENT …]
set -euo pipefail

programs=(
  mariadbd mariadb mariadb-admin mariadb-install-db mysqld mysql mysqladmin mysql_install_db
  postgres psql pg_ctl initdb pg_basebackup pg_config pg_isready pgbouncer haproxy redis-server redis-cli garagemq
  nft ip named nsupdate dig chromium google-chrome docker dockerd containerd podman openssl
  mmdebstrap ps pgrep pkill curl wget git python3 make cc gcc g++ c++
)
# Where servers and their parts are that no PATH leads to.
trees=(/usr/lib/postgresql /usr/lib/mysql /usr/share/mysql /opt/google/chrome)
# How a container engine is found.
handles=(/run/docker.sock /run/podman/podman.sock ~/.docker/run/docker.sock ~/.docker/desktop/docker.sock
  ~/.testcontainers.properties)

# Each folder once, under its own name: /bin may be a link to /usr/bin.
folders() {
  tr : '\n' <<<"$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/usr/libexec:/sbin:/bin" |
    xargs --no-run-if-empty realpath --quiet --canonicalize-existing | sort -u
}

# What of all that is there: paths.
visible() {
  local folder program path
  while read -r folder; do
    for program in "${programs[@]}"; do
      path=$folder/$program
      # A folder may have a program's name.
      [ ! -f "$path" ] && [ ! -L "$path" ] || echo "$path"
    done
  done < <(folders)
  for path in "${trees[@]}"; do
    [ ! -d "$path" ] || [ -z "$(ls -A "$path")" ] || echo "$path"
  done
  for path in "${handles[@]}"; do
    # One that was hidden is no socket and no file.
    [ ! -e "$path" ] || [ -c "$path" ] || echo "$path"
  done
}

# Inside the namespace. A folder gets a layer from which the program can be removed: who looks for it finds no file.
hide() {
  local layers path folder covered=:
  layers=$(mktemp -d)
  mount -t tmpfs tmpfs "$layers"
  while read -r path; do
    folder=$(dirname "$path")
    if [[ " ${trees[*]} " = *" $path "* ]]; then
      mount -t tmpfs tmpfs "$path"
    elif [[ " ${handles[*]} " = *" $path "* ]]; then
      mount --bind /dev/null "$path"
    else
      if [[ $covered != *":$folder:"* ]]; then
        covered+=$folder:
        mkdir -p "$layers$folder/upper" "$layers$folder/work"
        mount -t overlay overlay \
          -o "lowerdir=$folder,upperdir=$layers$folder/upper,workdir=$layers$folder/work" "$folder"
      fi
      rm -f "$path"
    fi
  done < <(visible)
  umount --lazy "$layers"
  rmdir "$layers"
}

if [ "${1:-}" = --hide ]; then
  shift
  hide
  unset DOCKER_HOST XDG_RUNTIME_DIR CHROMIUM
  left=$(visible)
  [ -z "$left" ] || { printf 'still there: %s\n' $left >&2; exit 1; }
  exec "$@"
fi

found=$(visible)
if [ -z "$found" ]; then
  echo 'a bare machine: there is nothing to hide'
  exec "$@"
elif why=$(unshare --mount bash "$0" --hide true 2>&1); then
  echo "hidden from what follows:" $found
  exec unshare --mount bash "$0" --hide "$@"
else
  echo "NOT a bare machine: what follows sees" $found
  echo "because it cannot be hidden here: $why"
  exec "$@"
fi
