import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../dist/esm/cli/demo/main.js', import.meta.url));
let folder: string;
let demo: ChildProcess;
let output: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'demo-of-a-test-'));
  chmodSync(folder, 0o711); // the database servers' user must get through
});
afterEach(() => {
  demo.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function start(...args: string[]): void {
  output = '';
  demo = spawn(process.execPath, [script, ...args], { env: { ...process.env, TMPDIR: folder } });
  for (const stream of [demo.stdout, demo.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
}

/** Every process of the demo has its folder in its environment or among its arguments. */
function processes(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      const about = ['environ', 'cmdline'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'latin1'));
      return about.some((text) => text.includes(folder));
    } catch {
      return false;
    }
  });
}

describe.skipIf(process.platform !== 'linux')('the demo (Linux only: reads /proc)', () => {
  it.each([['SIGINT'], ['SIGTERM'], ['SIGKILL']] as const)(
    'leaves no process and no folder when it gets %s in the middle of a failover',
    { timeout: 30_000 },
    async (signal) => {
      start();
      await expect.poll(() => output, { timeout: 20_000 }).toMatch(/1 s {2}eip-pool/);
      expect(processes().length).toBeGreaterThan(3);
      demo.kill(signal);
      const [status] = (await once(demo, 'exit')) as [number | null];
      expect(status).toBe(signal === 'SIGKILL' ? null : 130);
      await expect.poll(processes, { timeout: 10_000 }).toEqual([]);
      await expect.poll(() => readdirSync(folder), { timeout: 10_000 }).toEqual([]);
    },
  );

  it('says how it is used, and refuses an option that it does not know', async () => {
    start('--help');
    await once(demo, 'close');
    expect(output).toContain('--real-network');
    start('--real-netwrok');
    const [status] = (await once(demo, 'close')) as [number];
    expect(status).toBe(2);
    expect(output).toMatch(/Unknown option '--real-netwrok'[^]*did you mean --real-network\?[^]*Usage:/);
  });
});
