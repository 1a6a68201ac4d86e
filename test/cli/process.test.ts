import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { eipPool } from './support.js';

const script = fileURLToPath(new URL('../../dist/esm/cli/main.js', import.meta.url));

it('says which version it is', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  for (const asked of ['--version', '-v']) {
    expect(await eipPool([asked])).toMatchObject({ status: 0, out: `${version}\n`, error: '' });
  }
});

it('ends without a word where nobody reads what it writes', async () => {
  const command = spawn(process.execPath, [script, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
  command.stdout.destroy();
  let said = '';
  command.stderr.on('data', (data) => (said += String(data)));
  const [status] = (await once(command, 'close')) as [number];
  expect([status, said]).toEqual([1, '']);
});
