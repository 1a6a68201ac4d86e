import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Recording, RunRecord } from '../../src/cli/bench/recording.js';
import { factsOf } from '../../src/cli/report/facts.js';
import { filesOf } from '../../src/cli/report/files.js';
import { htmlReport } from '../../src/cli/report/html.js';
import { markdownReport } from '../../src/cli/report/markdown.js';
import { readRecording } from '../../src/cli/report/read-recording.js';
import { client, type Course, fault, fullMatrix, recordingOf } from './report-support.js';
import { eipPool } from './support.js';

const HOSTILE = `"><script>alert(1)</script>&'|\`*\u202E\u0000\u001B[31m]]>`;
const small = (): Recording =>
  recordingOf([fault('kill', 'killed', [client('ours', { firstSuccess: [24], until: 'wait', errors: 1 })])]);
const svgOf = (recording: Recording): string =>
  filesOf(recording, { html: undefined, markdown: undefined, svg: 'd' })[0]!.text;

/** The recording with the field at `path` set to something else. */
function altered(at: string, value: unknown): string {
  const copy = JSON.parse(JSON.stringify(small())) as Record<string, unknown>;
  const keys = at.split('.');
  let inner = copy;
  for (const key of keys.slice(0, -1)) inner = inner[key] as Record<string, unknown>;
  if (value === undefined) delete inner[keys.at(-1)!];
  else inner[keys.at(-1)!] = value;
  return JSON.stringify(copy);
}

describe('a recording', () => {
  it('survives being written and read: what never happened is still never', () => {
    const recording = recordingOf([
      fault('alive', 'a', [client('pg.Pool', { firstSuccess: [null, 20], until: 'hung' })]),
    ]);
    const infinite = { ...recording, faults: [{ ...recording.faults[0]!, bareMillis: [Infinity, 9] }] };
    const read = readRecording(JSON.stringify(infinite));
    expect(read.faults[0]!.bareMillis).toEqual([Infinity, 9]);
    expect(read.faults[0]!.clients[0]!.runs[0]!.latency.during.p50).toBeNaN();
    const [facts] = factsOf(read)[0]!.clients;
    expect(facts!.firstSuccess).toMatchObject({ worst: Infinity });
    expect(htmlReport(read)).not.toMatch(/NaN|Infinity|undefined|null/);
    expect(markdownReport(read)).not.toMatch(/NaN|Infinity|undefined|null/);
    expect(svgOf(read)).not.toMatch(/NaN|Infinity|undefined|null/);
  });

  it.each([
    ['version', 2, 'version: expected 1, the only version that this eip-pool reads, got 2'],
    ['startedAt', 'yesterday', 'startedAt: expected an ISO 8601 date, got "yesterday"'],
    ['machine.cpu', 3, 'machine.cpu: expected a string, got 3'],
    ['settings', undefined, 'settings: expected an object, got nothing'],
    ['settings.ratePerSecond', 0, 'settings.ratePerSecond: expected a number above 0, got 0'],
    ['faults', [], 'faults: expected at least one entry, got []'],
    ['faults.0.bareMillis.2', 'x', 'faults[0].bareMillis[2]'],
    ['faults.0.clients.0.client', undefined, 'faults[0].clients[0].client: expected a string, got nothing'],
    ['faults.0.clients.0.runs', [], 'faults[0].clients[0].runs: expected at least one entry'],
    [
      'faults.0.clients.0.runs.0.summary.hung',
      -1,
      'faults[0].clients[0].runs[0].summary.hung: expected a number of at',
    ],
    ['faults.0.clients.0.runs.0.outcomes.unknown', '1', 'faults[0].clients[0].runs[0].outcomes["unknown"]: expected'],
    ['faults.0.clients.0.runs.0.timeline.3.millis', 0, 'faults[0].clients[0].runs[0].timeline[3].millis: expected'],
  ])('with a wrong %s is refused with its name', (at, value, message) => {
    expect(() => readRecording(altered(at, value))).toThrow(message);
  });

  it('of a later bench may hold more', () => {
    expect(readRecording(altered('machine.memory', 1)).machine.cpus).toBe(2);
  });
});

describe('the judgement', () => {
  const levelOf = (course: Parameters<typeof client>[1]): string =>
    factsOf(recordingOf([fault('f', 'f', [client('c', course)])]))[0]!.clients[0]!.level;

  it('is good within a second, slow after it, and broken by one run that never came back', () => {
    expect(levelOf({ firstSuccess: [20, 30, 3_000], until: 'wait' })).toBe('good');
    expect(levelOf({ firstSuccess: [2_000, 2_100, 2_000], until: 'wait' })).toBe('slow');
    expect(levelOf({ firstSuccess: [20, 30, null], until: 'wait' })).toBe('broken');
  });

  it('is slow where more failed than is due in a second, and broken by a lost write', () => {
    expect(levelOf({ firstSuccess: [1_005], until: 'error' })).toBe('slow');
    expect(levelOf({ firstSuccess: [20], until: 'wait', lost: 1 })).toBe('broken');
  });

  it('tells the errors of reads and of writes apart, where they were recorded', () => {
    const course: Course = { firstSuccess: [30], until: 'error', errors: 3 };
    const plain = client('pg.Pool', course);
    const kind = { operations: 200, hung: 0, firstSuccess: 30, longestWait: 14 };
    const runs = plain.runs.map((run) => ({ ...run, reads: { ...kind, errors: 0 }, writes: { ...kind, errors: 3 } }));
    const recording = recordingOf([fault('kill', 'killed', [{ client: 'ours', runs }, plain])]);
    const [ours, stock] = factsOf(readRecording(JSON.stringify(recording)))[0]!.clients;
    expect([ours!.readErrors.worst, ours!.writeErrors.worst]).toEqual([0, 3]);
    expect([stock!.readErrors.worst, stock!.writeErrors.worst]).toEqual([NaN, NaN]);
  });

  it('takes the ratio from the bare limit of the client’s own kind of server', () => {
    const made = fault('f', 'f', [client('c', { firstSuccess: [90], until: 'wait' })]);
    const mysql = { ...made, bareMysqlMillis: [30], clients: [{ ...made.clients[0]!, database: 'mysql' as const }] };
    expect(factsOf(recordingOf([made]))[0]!.clients[0]!.ratio).toBe(10);
    expect(factsOf(recordingOf([mysql]))[0]!.clients[0]!.ratio).toBe(3);
  });
});

describe('the page, the Markdown and the pictures', () => {
  it('let nothing through that a label could do', () => {
    const run = client(HOSTILE, { firstSuccess: [20], until: 'wait', errors: 1 });
    const outcomes = {
      ...run,
      runs: run.runs.map((one) => ({ ...one, outcomes: { [HOSTILE]: 1 } as RunRecord['outcomes'] })),
    };
    const made = recordingOf([fault(HOSTILE, HOSTILE, [outcomes])]);
    const machine = { cpus: 1, cpu: HOSTILE, os: HOSTILE, node: HOSTILE };
    const recording: Recording = {
      ...made,
      machine,
      versions: { [HOSTILE]: HOSTILE },
      skipped: [{ client: HOSTILE, reason: HOSTILE }],
    };
    const safe = readRecording(JSON.stringify(recording));
    for (const text of [htmlReport(safe), svgOf(safe), markdownReport(safe)]) {
      expect(text).not.toMatch(/(?<!\\)<script|[^\P{Cc}\n]|\p{Bidi_Control}/u);
    }
    expect(htmlReport(safe)).toContain('&lt;script&gt;');
    const rows = markdownReport(safe)
      .split('\n')
      .filter((line) => line.startsWith('| '));
    expect(new Set(rows.map((line) => line.match(/(?<!\\)\|/g)!.length)).size).toBe(3);
  });

  it('are less than 1 MB for thirteen faults, eleven clients and ten runs', () => {
    const html = htmlReport(fullMatrix());
    expect(html.length).toBeGreaterThan(50_000);
    expect(Buffer.byteLength(html)).toBeLessThan(1_000_000);
  });

  it('refer to nothing outside', () => {
    const text = htmlReport(fullMatrix(2)).replaceAll('http://www.w3.org/2000/svg', '');
    expect(text).not.toMatch(/https?:|<script|<img|<link|@import|src=|url\((?!#)/);
  });

  it('show one client, one run, and a run that was not drawn', () => {
    const one = small();
    const [run] = one.faults[0]!.clients[0]!.runs;
    const clients = [{ client: 'ours', runs: [{ ...run!, timeline: [] }] }];
    const html = htmlReport({ ...one, faults: [{ ...one.faults[0]!, bareMillis: [], clients }] });
    expect(html).toContain('no run of it was drawn');
    expect(html).toContain('24 ms');
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('tell what breaks in words, not in colours alone', () => {
    const recording = recordingOf([
      fault('silent', 's', [
        client('hanging', { firstSuccess: [null], until: 'hung' }),
        client('writing', { firstSuccess: [null], until: 'old' }),
        client('losing', { firstSuccess: [30], until: 'wait', lost: 3 }),
      ]),
    ]);
    for (const text of [htmlReport(recording), markdownReport(recording)]) {
      expect(text).toContain('400 hung');
      expect(text).toContain('stays on old');
      expect(text).toContain('3 lost');
      expect(text).toContain('breaks in 1 of 1');
    }
    expect(svgOf(recording)).toContain('hanging: never, worst never');
  });

  it('draw a waiting operation as one that waited, and only until the first success', () => {
    const waiting = recordingOf([fault('f', 'f', [client('c', { firstSuccess: [500], until: 'wait' })])]);
    expect(svgOf(waiting)).toContain('class="waited" fill="url(#timeline-waited)" d="M');
    const atOnce = recordingOf([fault('f', 'f', [client('c', { firstSuccess: [1], until: 'wait' })])]);
    expect(svgOf(atOnce)).not.toContain('class="waited" fill="url(#timeline-waited)" d="M');
  });
});

describe('eip-pool report', () => {
  let directory: string;
  const within = (file: string): string => path.join(directory, file);
  beforeEach(() => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'eip-pool-report-'));
    writeFileSync(within('failover.json'), JSON.stringify(small()));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('writes the page beside the recording', async () => {
    const { status, out } = await eipPool(['report', within('failover.json')]);
    expect({ status, out }).toEqual({
      status: 0,
      out: `ours: good in 1 of 1 faults, worst 24 ms (kill)\n${within('failover.html')}\n`,
    });
    expect(readFileSync(within('failover.html'), 'utf8')).toMatch(/^<!doctype html>/);
  });

  it('writes what is asked for, and no other', async () => {
    const { status, json } = await eipPool([
      'report',
      within('failover.json'),
      '--markdown',
      within('r.md'),
      '--svg',
      within('a/b'),
      '--json',
    ]);
    expect(status).toBe(0);
    expect(json[0]).toMatchObject({ files: [within('r.md'), within('a/b/01-kill.svg')], faults: [{ fault: 'kill' }] });
    expect(readdirSync(within('a/b'))).toEqual(['01-kill.svg']);
    expect(existsSync(within('failover.html'))).toBe(false);
  });

  it('keeps a fault’s name inside the directory of the pictures', async () => {
    writeFileSync(within('failover.json'), altered('faults.0.fault', '../../etc/passwd'));
    await eipPool(['report', within('failover.json'), '--svg', within('svg')]);
    expect(readdirSync(within('svg'))).toEqual(['01-etc-passwd.svg']);
  });

  it.each([
    ['no JSON', '{', 'INVALID_RECORDING', 'not JSON'],
    ['another version', altered('version', 7), 'INVALID_RECORDING', 'version: expected 1'],
    [
      'a missing field',
      altered('faults.0.clients.0.runs.0.latency.after', undefined),
      'INVALID_RECORDING',
      'latency.after',
    ],
  ])('ends with 2 and the field on %s', async (_, text, code, message) => {
    writeFileSync(within('failover.json'), text);
    const { status, json } = await eipPool(['report', within('failover.json'), '--json']);
    expect(status).toBe(2);
    expect(json[0]).toMatchObject({ error: { code, message: expect.stringContaining(message) as unknown } });
    expect(existsSync(within('failover.html'))).toBe(false);
  });

  it('ends with 2 without a file, on one that is not there, and where it would overwrite the recording', async () => {
    expect(await eipPool(['report'])).toMatchObject({ status: 2 });
    expect(await eipPool(['report', within('other.json')])).toMatchObject({ status: 2 });
    const itself = await eipPool(['report', within('failover.json'), '--html', within('failover.json')]);
    expect(itself).toMatchObject({ status: 2, error: expect.stringContaining('elsewhere') as unknown });
    expect(readRecording(readFileSync(within('failover.json'), 'utf8')).version).toBe(1);
  });

  it('lets no label write to the terminal', async () => {
    writeFileSync(within('failover.json'), altered('faults.0.clients.0.client', '\u001B[2Jours'));
    const { out } = await eipPool(['report', within('failover.json')]);
    expect(out).not.toContain('\u001B');
  });
});
