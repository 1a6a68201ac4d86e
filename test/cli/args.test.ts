import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.js';
import { eipPool } from './support.js';

describe('the command line', () => {
  it('lists its commands', async () => {
    const { status, out } = await eipPool(['--help']);
    expect(status).toBe(0);
    for (const { name, summary } of commands) expect(out).toContain(`${name.padEnd(16)}  ${summary}`.trim());
  });

  it.each(commands.flatMap((command) => ('run' in command ? [[command.name, command] as const] : [])))(
    '%s --help has examples and every option, and --json is one of them',
    async (name, command) => {
      const { status, out } = await eipPool([...name.split(' '), '--help']);
      expect(status).toBe(0);
      for (const option of [...Object.keys(command.options), 'json', 'help']) expect(out).toContain(`--${option}`);
      expect(command.examples.length).toBeGreaterThan(0);
      for (const example of command.examples) expect(out).toContain(`eip-pool ${example}`);
    },
  );

  it.each([
    [['resolv', 'a.example.com'], /no command 'resolv'; did you mean 'resolve'\?/],
    [['eip', 'asociate'], /did you mean 'eip associate'\?/],
    [['eip'], /eip what\? One of: eip allocate/],
    [['resolve'], /the name is missing/],
    [['resolve', 'a.example.com', 'b.example.com'], /what is 'b\.example\.com'\?/],
    [['watch', 'a.example.com', '--prot', '5432'], /no option --prot; did you mean --port\?/],
    [['watch', 'a.example.com', '--port'], /--port needs a value/],
    [['watch', 'a.example.com', '--port', '70000'], /--port: expected a number from 1 to 65535/],
    [['doctor', 'a.example.com', '--json=yes'], /--json takes no value/],
    [['doctor', 'a.example.com', '--url', 'redis://x'], /--url: expected postgres:\/\/… or mysql:\/\/…/],
    [['eip', 'associate', 'i-1', 'i-1'], /elasticIp: expected 'eipalloc-…'/],
    [['eip', 'associate', 'eipalloc-1', 'host-1'], /the target: expected i-…/],
    [['resolve', 'not a name'], /option name/],
  ])('%j is misuse, and says what was meant', async (argv, message) => {
    const { status, error, out } = await eipPool(argv);
    expect(error).toMatch(message);
    expect([status, out]).toEqual([2, '']);
  });

  it('reports errors as JSON where JSON was asked for', async () => {
    const { status, json, error } = await eipPool(['resolve', '--json']);
    expect([status, error]).toEqual([2, '']);
    expect(json).toEqual([{ error: { code: 'USAGE', message: 'the name is missing' } }]);
  });

  it('never shows a password', async () => {
    const { error } = await eipPool(['doctor', 'a.example.com', '--url', 'postgres//app:secret@x']);
    expect(error).not.toContain('secret');
  });
});
