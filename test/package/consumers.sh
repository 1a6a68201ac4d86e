#!/usr/bin/env bash
# The packed tarball in applications of its users: emitted types under three compilers, and Jest. Needs the registry.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
app=$(mktemp -d -t eip-pool-consumer-XXXXXX)
trap 'rm -rf "$app"' EXIT
tarball=$(cd "$root" && npm pack --silent --pack-destination "$app")
cd "$app"
cat >package.json <<'JSON'
{ "name": "consumer", "private": true }
JSON
npm install --silent --no-audit --no-fund "./$tarball" pg@8.23.1 @types/pg@8.23.1 mysql2@3.24.6 generic-pool@3.9.0 @types/node@20 jest@30 \
  typescript59@npm:typescript@5.9 typescript60@npm:typescript@6.0 typescript7@npm:typescript@7.0.2 >/dev/null
cat >use.ts <<'TS'
import { follow, outcomeOf, type Endpoint, type Outcome } from 'eip-pool';
import pg, { Client, Pool, type PoolConfig, type QueryResult } from 'eip-pool/pg';
import { ec2, ElasticIp, type ElasticIpDescription } from 'eip-pool/ec2';
import mysql, { createPool as createMysqlPool } from 'eip-pool/mysql2';
import mysqlPromise, { createPool as createPromisePool } from 'eip-pool/mysql2/promise';
import { createPool as createGenericPool, type Target } from 'eip-pool/generic-pool';
import { startLab } from 'eip-pool/lab';

const mysqlEndpoint: Endpoint | null = createMysqlPool({ host: 'db.example.com', follow: { intervalMillis: 500 } }).endpoint;
const promiseEndpoint: Endpoint | null = createPromisePool({ host: 'db.example.com', failover: { drainMillis: 0 } }).pool.endpoint;
const generic = createGenericPool(
  { create: async (target: Target) => target.connect(), destroy: async (socket) => void socket.destroy() },
  { host: 'db.example.com', port: 6379, max: 3 },
);

const described: Promise<ElasticIpDescription> = new ElasticIp('75.101.137.243').describe();
const beside: Endpoint = follow('db.example.com', { resolver: ['dns', ec2({ region: 'eu-west-1' })] });
const config: PoolConfig = { host: 'db.example.com', max: 10, follow: { intervalMillis: 500 }, failover: { drainMillis: 0 } };
const pool: Pool = new Pool(config);
const endpoint: Endpoint | null = pool.endpoint;
const result: Promise<QueryResult<{ one: number }>> = pool.query<{ one: number }>('select 1 as one');
const outcome: Outcome | undefined = outcomeOf(new Error('x'));
endpoint?.on('move', ({ from, to }) => console.log(from.join(), to.join()));
export { beside, Client, described, endpoint, follow, generic, mysql, mysqlEndpoint, mysqlPromise, outcome, pg, promiseEndpoint, result, startLab };
TS
for compiler in typescript59 typescript60 typescript7; do
  for module in nodenext node16; do
    node "node_modules/$compiler/bin/tsc" --noEmit --strict --skipLibCheck false --target es2022 --module "$module" --types node use.ts ||
      { echo "$compiler --module $module failed"; exit 1; }
  done
  echo "$compiler: types ok"
done
cat >use.test.js <<'JS'
const { Pool } = require('eip-pool/pg');
const { isEipPoolError } = require('eip-pool');
test('loads under Jest', () => {
  expect(new Pool({ host: 'db.example.com' }).endpoint.name).toBe('db.example.com');
  expect(() => new Pool({ host: 'a.b', failover: { drainMilis: 1 } })).toThrow(/did you mean failover.drainMillis/);
  expect(isEipPoolError(new Error('x'))).toBe(false);
});
JS
npx jest --silent 2>&1 | tail -n 5
