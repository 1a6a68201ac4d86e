#!/usr/bin/env bash
# Runs the container tests where there is no container engine and no registry: Debian's dockerd in a network namespace
# of its own, with images made from Debian's packages. Root on Debian only; elsewhere, and where a part of it cannot be
# had, the tests that need it are skipped by name. Nothing stays but the images' file systems, in
# ${XDG_CACHE_HOME:-/var/cache}/eip-pool-images.
#
#   engine.sh [arguments of vitest]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-/var/cache}/eip-pool-images
network=eip-pool-$$
folder=
dockerd=
tests=
makers=()
inside=()

say() { printf 'containers: %s (%ss)\n' "$1" "$SECONDS"; }

# Everything that this script started or made, whatever ended it.
clean_up() {
  local status=$?
  trap - EXIT
  if [ -n "$tests" ]; then
    kill "$tests" 2>/dev/null || true
    wait "$tests" || true
  fi
  for maker in "${makers[@]}"; do
    kill "$maker" 2>/dev/null || true
    wait "$maker" || true
  done
  if [ -n "$dockerd" ]; then
    docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes >/dev/null 2>&1 || true
    kill "$dockerd" 2>/dev/null || true
    wait "$dockerd" || true
  fi
  [ ! -e "/run/netns/$network" ] || ip netns delete "$network"
  [ -z "$folder" ] || rm -rf "$folder"
  rm -f "$cache"/*."$$".part
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

install_packages() {
  local missing=()
  command -v dockerd >/dev/null || missing+=(docker.io)
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  command -v ip >/dev/null || missing+=(iproute2)
  [ "${#missing[@]}" -gt 0 ] || return 0
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; } >/dev/null
}

start_engine() {
  local socket
  folder=$(mktemp -d "${TMPDIR:-/tmp}/eip-pool-engine-XXXXXX") || return 1
  socket=unix://$folder/engine.sock
  ip netns add "$network" || return 1
  nsenter --net="/run/netns/$network" ip link set lo up || return 1
  nsenter --net="/run/netns/$network" dockerd --host "$socket" --data-root "$folder/data" --exec-root "$folder/exec" \
    --pidfile "$folder/pid" --storage-driver overlay2 >"$folder/log" 2>&1 &
  dockerd=$!
  until docker --host "$socket" version >/dev/null 2>&1; do
    if ! kill -0 "$dockerd" 2>/dev/null; then
      tail -n 5 "$folder/log"
      dockerd=
      return 1
    fi
    sleep 0.1
  done
  inside=(nsenter --net="/run/netns/$network")
  export DOCKER_HOST=$socket TESTCONTAINERS_RYUK_DISABLED=true
}

# The machine's own source of Debian's packages; it is known once apt has its lists.
find_mirror() {
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sed -n 1p)
  [ -n "$mirror" ]
}

# make_file_system NAME FILE SUITE PACKAGES [arguments of mmdebstrap]
make_file_system() {
  local name=$1 file=$2 suite=$3 packages=$4 maker= status=0
  shift 4
  mkdir -p "$cache"
  rm -f "$cache/$name-"*.tar
  trap '[ -z "$maker" ] || { kill "$maker" 2>/dev/null; wait "$maker"; }; exit 143' TERM
  # A mirror may lag behind: its signature counts, its date does not.
  nice -n 19 mmdebstrap --quiet --format=tar --variant=minbase --include="$packages" "$@" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --aptopt='Acquire::Check-Valid-Until "false"' "$suite" "$file.$$.part" "$mirror" 2>"$folder/mmdebstrap-$name" &
  maker=$!
  wait "$maker" || status=$?
  if [ "$status" != 0 ]; then
    tail -n 3 "$folder/mmdebstrap-$name"
    rm -f "$file.$$.part"
    return 1
  fi
  mv "$file.$$.part" "$file"
  say "made the file system of $name"
}

# image NAME TAG SUITE PACKAGES [arguments of mmdebstrap]. Its file system is made once and kept.
image() {
  local name=$1 tag=$2 file
  shift 2
  file=$cache/$name-$tag-$(printf '%s\n' "$@" | sha256sum | cut -c -12).tar
  [ -s "$file" ] || make_file_system "$name" "$file" "$@" || return 1
  docker import "$file" "localhost/eip-pool/base-$name" >/dev/null && DOCKER_BUILDKIT=0 docker build --quiet \
    --tag "localhost/eip-pool/$name:$tag" --file - "$here/images" >/dev/null 2>"$folder/build-$name" <<DOCKERFILE || return 1
FROM localhost/eip-pool/base-$name
STOPSIGNAL $([ "$name" = postgres ] && echo SIGINT || echo SIGTERM)
COPY $name.sh /usr/local/bin/entrypoint
ENTRYPOINT ["/usr/local/bin/entrypoint"]
DOCKERFILE
  say "image $name $tag"
}

# In the background, all at once: most of it waits for the mirror and the disk.
begin_image() {
  (
    trap - EXIT INT HUP
    image "$@" || echo "no image of $1: its tests are skipped by name"
  ) &
  makers+=($!)
}

prepare() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo 'not root, or no apt-get'; return 1; }
  install_packages || { echo 'Debian gives no docker.io or mmdebstrap'; return 1; }
  start_engine || { echo 'dockerd does not start'; return 1; }
  say 'dockerd is up'
  find_mirror || { apt-get update -q >/dev/null && find_mirror; } || echo 'apt knows no source of Debian'
}

cd "$root"
if prepare; then
  export EIP_POOL_POSTGRES_IMAGE=localhost/eip-pool/postgres:15
  export EIP_POOL_MARIADB_IMAGE=localhost/eip-pool/mariadb:10.11
  export EIP_POOL_MYSQL_IMAGE=localhost/eip-pool/mysql:9
  # What one of these packages leaves under /var/lib is a server made at installation: each container makes its own.
  begin_image postgres 15 bookworm postgresql-15,gosu --customize-hook='rm -rf "$1"/var/lib/postgresql/*'
  begin_image mariadb 10.11 bookworm mariadb-server,gosu --customize-hook='rm -rf "$1"/var/lib/mysql'
  begin_image mysql 9 sid mysql-server-core,mysql-client-core,passwd,gosu \
    --customize-hook='chroot "$1" useradd --system --shell /usr/sbin/nologin mysql'
  for maker in "${makers[@]}"; do wait "$maker" || true; done
  makers=()
else
  echo 'no container engine: the tests that need one are skipped by name'
fi
# In the background: a signal to this script must not wait for the tests.
"${inside[@]}" node node_modules/vitest/vitest.mjs run --config test/vitest.config.ts \
  test/containers "$@" &
tests=$!
status=0
wait "$tests" || status=$?
tests=
say 'tests done'
exit "$status"
