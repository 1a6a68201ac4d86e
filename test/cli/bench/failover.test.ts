import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Recording } from '../../../src/cli/bench/recording.js';

const script = fileURLToPath(new URL('../../../dist/esm/cli/main.js', import.meta.url));
const mine = fileURLToPath(new URL('mine.mjs', import.meta.url));
let folder: string;
let bench: ChildProcess;
let out: string;
let error: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'bench-of-a-test-'));
  chmodSync(folder, 0o711); // the database servers' user must get through
});
afterEach(() => {
  bench.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function start(...args: string[]): void {
  out = '';
  error = '';
  bench = spawn(process.execPath, [script, 'bench', 'failover', ...args], { env: { ...process.env, TMPDIR: folder } });
  bench.stdout!.on('data', (chunk) => (out += String(chunk)));
  bench.stderr!.on('data', (chunk) => (error += String(chunk)));
}

async function statusOf(...args: string[]): Promise<unknown> {
  start(...args);
  const [status] = (await once(bench, 'close')) as unknown[];
  return status;
}

describe('eip-pool bench failover', () => {
  it('measures a client of the user’s beside ours, and fails with the row that does not meet an assertion', async () => {
    const json = path.join(folder, 'recording.json');
    const cells = ['--faults', 'kill', '--runs', '1', '--clients', 'eip-pool', '--client', mine];
    const asserts = ['all:kill.lostWrites=0', 'mine:kill.doubledWrites=0', 'eip-pool:kill.firstSuccessMs<0'];
    const status = await statusOf(
      ...cells,
      ...asserts.flatMap((text) => ['--assert', text]),
      ...['--watch-millis', '2000', '--json', json],
    );
    expect(error).toMatch(
      /failed: eip-pool:kill\.firstSuccessMs<0: eip-pool\/pg in kill: [\d.]+ in run 1 of 1, not < 0/,
    );
    expect(error.match(/failed:/g)).toHaveLength(1);
    expect(status).toBe(1);
    const recording = JSON.parse(readFileSync(json, 'utf8')) as Recording;
    const [fault] = recording.faults;
    expect(fault).toMatchObject({ fault: 'kill', bareMillis: [expect.any(Number)] });
    expect(recording.versions).toMatchObject({ pg: expect.any(String), PostgreSQL: expect.any(String) });
    expect(fault!.clients.map(({ client }) => client)).toEqual(['eip-pool/pg', 'mine']);
    for (const { runs } of fault!.clients) {
      const [run] = runs;
      expect(run).toMatchObject({ lostWrites: 0, doubledWrites: 0, crashes: 0 });
      expect(run!.summary).toMatchObject({ firstSuccess: expect.any(Number), onOld: 0, hung: 0 });
      expect(run!.timeline.length).toBeGreaterThan(20);
    }
    expect(out).toContain('| kill | mine |');
    expect(readdirSync(folder)).toEqual(['recording.json']);
  }, 60_000);

  it('refuses what it does not know, by the nearest name', async () => {
    expect(await statusOf('--asert', 'x')).toBe(2);
    expect(error).toContain('did you mean --assert?');
    expect(await statusOf('--assert', 'eip-pool:kill.hunk<1')).toBe(2);
    expect(error).toContain("did you mean 'hung'?");
    expect(await statusOf('--client', path.join(folder, 'none.mjs'))).toBe(2);
    expect(error).toContain('none.mjs');
  }, 20_000);

  it.skipIf(process.platform !== 'linux')(
    'leaves no process and no folder when it gets SIGINT in the middle of a run (Linux only: reads /proc)',
    async () => {
      start('--faults', 'silent', '--runs', '5', '--parallel', '2');
      await expect.poll(() => error, { timeout: 20_000 }).toMatch(/2 of 5/);
      expect(processes().length).toBeGreaterThan(3);
      bench.kill('SIGINT');
      const [status] = (await once(bench, 'exit')) as unknown[];
      expect(status).toBe(130);
      await expect.poll(processes, { timeout: 10_000 }).toEqual([]);
      await expect.poll(() => readdirSync(folder), { timeout: 10_000 }).toEqual([]);
    },
    60_000,
  );
});

/** Every process of the bench has its folder in its environment or among its arguments. */
function processes(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      const about = ['environ', 'cmdline'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'latin1'));
      return about.some((text) => text.includes(folder));
    } catch {
      return false;
    }
  });
}
