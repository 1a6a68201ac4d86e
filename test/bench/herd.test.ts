import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { plot } from '../../bench/scale/herd/plot.js';
import { HELLO, SlowServer } from '../../bench/scale/herd/slow-server.js';
import { judge, sizes } from '../../bench/scale/herd/stampede.js';

describe('the herd', () => {
  it('is spread evenly over a few real processes, none of them empty', () => {
    expect(sizes(10, 4)).toEqual([3, 3, 2, 2]);
    expect(sizes(2, 4)).toEqual([1, 1]);
  });

  it('is back when the last has all, and never where one has not', () => {
    const crowds = [
      { firsts: [10, 30], lasts: [40, 50] },
      { firsts: [20], lasts: [] },
    ];
    expect(judge(crowds, 3)).toEqual({ halfServed: 20, allServed: 30, allBack: Infinity });
    expect(judge(crowds, 4)).toMatchObject({ allServed: Infinity });
    expect(judge([{ firsts: [10], lasts: [12] }], 1)).toEqual({ halfServed: 10, allServed: 10, allBack: 12 });
  });
});

describe('the slow server', () => {
  let server: SlowServer;
  let clients: Socket[] = [];
  afterEach(() => {
    for (const client of clients) client.destroy();
    clients = [];
    server.close();
  });

  it('logs in as many as it may, in their order, and counts those that wait and those that have left', async () => {
    server = new SlowServer(0.001);
    const port = await server.listen(0, '127.0.0.1');
    // Its burst is ten; the others wait for longer than a test does.
    for (let i = 0; i < 13; i++) {
      const client = connect({ port, host: '127.0.0.1' });
      clients.push(client);
      await once(client, 'connect');
      client.write(HELLO);
      if (i < 10) await once(client, 'data');
    }
    await expect.poll(() => server.figures).toEqual({ peak: 3, done: 10, wasted: 0 });
  });

  it('does the log-in of a client that has left all the same', async () => {
    server = new SlowServer(1_000_000);
    const port = await server.listen(0, '127.0.0.1');
    const client = connect({ port, host: '127.0.0.1' });
    clients.push(client);
    client.end(HELLO);
    await expect.poll(() => server.figures.done).toBe(1);
  });
});

describe('the plot', () => {
  const series = [
    { label: 'gate', points: [[10, 5], [1_000, 500]] as const }, // prettier-ignore
    { label: 'no gate <at all>', points: [[10, 50], [1_000, Infinity]] as const }, // prettier-ignore
  ];
  const svg = plot([{ title: 'waiting', xLabel: 'processes', series }]);

  it('draws each series between the powers of ten, and leaves out what never happened', () => {
    const lines = [...svg.matchAll(/<polyline class="s\d" points="([^"]*)"/g)].map(([, points]) => points!.split(' '));
    expect(lines.map((points) => points.length)).toEqual([2, 1]);
    const [[low, high]] = lines as [[string, string]];
    const [x, y] = [low, high].map((point) => point.split(',').map(Number)) as [number[], number[]];
    expect(x[0]).toBeLessThan(y[0]!);
    expect(x[1], 'more is higher up').toBeGreaterThan(y[1]!);
    expect(svg).toContain('>1,000</text>');
  });

  it('is one self-contained picture for light and dark, with its texts escaped', () => {
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(svg).toContain('prefers-color-scheme: dark');
    expect(svg).toContain('no gate &lt;at all&gt;');
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toContain('http');
  });
});
