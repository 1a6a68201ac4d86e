#!/usr/bin/env bash
# The unit tests, and a failover of each adapter, on the oldest Node that the package is for and on the newer ones.
# Ends with the totals of all runs alone on a line.
#
#   every-node.sh [VERSION …]
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d "${TMPDIR:-/tmp}/eip-pool-nodes-XXXXXX")
trap 'rm -rf "$folder"' EXIT
[ $# -gt 0 ] || set -- 20.9.0 22 24

# Those with a server of their own take their time, and say nothing about Node; one starts this test runner itself. A
# failover of each adapter is among the rest.
tests=(
  test/endpoint test/failover test/outcome test/sockets test/clock.test.ts test/contexts.test.ts test/events.test.ts
  test/options.test.ts
  --exclude '**/hostile-dns.test.ts' --exclude '**/real-dns.test.ts' --exclude '**/stale-servers.test.ts'
  --exclude '**/thousand.test.ts' --exclude '**/as-the-driver.test.ts'
)

# The test runner of the project needs a newer Node than 20.9: there an older one runs the same tests.
cat >"$folder/vitest.config.mjs" <<'CONFIG'
import { fileURLToPath } from 'node:url';
export default {
  resolve: { alias: { vitest: fileURLToPath(new URL('runner/node_modules/vitest', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['./test/mysql-server.setup.ts'],
    setupFiles: ['./test/console.setup.ts'],
    reporters: ['default', './test/summary-reporter.ts'],
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
  },
};
CONFIG

passed=0 failed=0 skipped=0 status=0
for version in "$@"; do
  npm install --silent --no-audit --no-fund --prefix "$folder/node-$version" "node@$version" >/dev/null
  node=$folder/node-$version/node_modules/node/bin/node
  runner=(node_modules/vitest/vitest.mjs run --config test/vitest.config.ts)
  if [ "$version" = 20.9.0 ]; then
    npm install --silent --no-audit --no-fund --prefix "$folder/runner" vitest@3.2.4 vite@6.4.1 >/dev/null
    runner=("$folder/runner/node_modules/vitest/vitest.mjs" run --root "$PWD" --config "$folder/vitest.config.mjs")
  fi
  printf '\n-- Node %s\n' "$("$node" --version)"
  "$node" "${runner[@]}" "${tests[@]}" 2>&1 | tee "$folder/log" || status=1
  read -r p _ f _ s _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$folder/log" | tail -n 1)
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
exit "$status"
