import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { filesOf } from '../../src/cli/report/files.js';
import { client, fault, fullMatrix, recordingOf } from './report-support.js';

const chromium = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (file) => file !== undefined && existsSync(file),
);
const keep = process.env['EIP_POOL_KEEP_SCREENSHOTS'] === '1';
const reason = chromium === undefined ? ' (skipped: no Chromium; install the package `chromium`, or set CHROMIUM)' : '';

describe.skipIf(chromium === undefined)(`the report in a real browser${reason}`, { timeout: 60_000 }, () => {
  let directory: string;
  let browser: Browser;
  let page: Page;
  const asked: string[] = [];
  const complaints: string[] = [];

  const open = async (file: string, scheme: 'light' | 'dark' = 'light', width: number = 1_280): Promise<void> => {
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.goto(pathToFileURL(path.join(directory, file)).href);
  };
  const shot = async (name: string): Promise<void> => {
    const file: `${string}.png` = `${path.join(directory, name)}.png`;
    await page.screenshot({ path: file });
    process.stdout.write(`screenshot${keep ? '' : ' (EIP_POOL_KEEP_SCREENSHOTS=1 keeps it)'}: ${file}\n`);
  };
  /** An expression, because the page's types are not those of this program. */
  const evaluate = async <T>(expression: string): Promise<T> => (await page.evaluate(expression)) as T;

  beforeAll(async () => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'eip-pool-report-'));
    const write = ({ path: file, text }: { path: string; text: string }): void =>
      writeFileSync(path.join(directory, file), text);
    filesOf(fullMatrix(), { html: 'full.html', markdown: undefined, svg: undefined }).forEach(write);
    filesOf(fullMatrix(2), { html: undefined, markdown: undefined, svg: '.' }).forEach(write);
    const three = { ...fullMatrix(2), faults: fullMatrix(2).faults.slice(2, 5) };
    filesOf(three, { html: 'three.html', markdown: undefined, svg: undefined }).forEach(write);
    const label = '<img src=x onerror=document.title=1><script>document.title=1</script>'.repeat(3);
    const hostile = recordingOf([fault(label, label, [client(label, { firstSuccess: [9], until: 'wait' })])]);
    filesOf(hostile, { html: 'hostile.html', markdown: undefined, svg: undefined }).forEach(write);
    browser = await puppeteer.launch({
      executablePath: chromium!,
      userDataDir: path.join(directory, 'profile'),
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    });
    page = await browser.newPage();
    page.on('request', (request) => void asked.push(request.url()));
    page.on('console', (message) => void complaints.push(message.text()));
    page.on('pageerror', (error) => void complaints.push(String(error)));
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    if (!keep) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  it('shows every client and fault, and how long it was down, before anything is scrolled', async () => {
    await open('full.html');
    await shot('light');
    const first = await evaluate<string[]>(
      `[...document.querySelectorAll('.glance tr')].filter((row) => row.getBoundingClientRect().top < 900).map((row) => row.innerText)`,
    );
    expect(first[0]).toMatch(/client\s+worst of all\s+kill\s+kill-late\s+silent/);
    const row = (client: string): string | undefined => first.find((text) => text.startsWith(`${client}\t`));
    expect(row('eip-pool/pg')).toMatch(/● 930 ms\s+good in 13 of 13/);
    expect(row('pg.Pool')).toMatch(/✕ never\s+breaks in 5 of 13/);
    expect(row('pg.Pool')).toContain('400 hung');
    expect(row('pg.Pool')).toContain('stays on old');
  });

  it.each([
    ['light', 1_280],
    ['dark', 1_280],
    ['light', 390],
    ['dark', 390],
  ] as const)('fits in %s at %d pixels: no overflow, every picture has its box', async (scheme, width) => {
    await open('full.html', scheme, width);
    const {
      page: wide,
      boxes,
      rows,
    } = await evaluate<{ page: number; boxes: number[]; rows: number }>(
      `({ page: document.documentElement.scrollWidth,
          boxes: [...document.querySelectorAll('svg')].map((svg) => svg.getBoundingClientRect()).map((box) => Math.min(box.width, box.height)),
          rows: document.querySelectorAll('svg > g').length })`,
    );
    expect(wide).toBeLessThanOrEqual(width);
    expect(boxes).toHaveLength(13);
    expect(Math.min(...boxes)).toBeGreaterThan(200);
    expect(rows).toBe(143);
  });

  it('is dark where dark is asked for, with text that can be read', async () => {
    const luminances = async (): Promise<[paper: number, ink: number]> =>
      await evaluate(`[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]
        .map((colour) => colour.match(/\\d+/g).map(Number).map((part) => (part / 255) ** 2.2))
        .map(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b)`);
    await open('full.html', 'light');
    const light = await luminances();
    await open('full.html', 'dark');
    await shot('dark');
    const dark = await luminances();
    expect(light[0]).toBeGreaterThan(0.9);
    expect(dark[0]).toBeLessThan(0.02);
    for (const [a, b] of [light, dark]) expect((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)).toBeGreaterThan(7);
  });

  it('prints light, a page for what is first and at most two for each fault', async () => {
    await open('three.html', 'dark');
    const pdf = Buffer.from(await page.pdf({ preferCSSPageSize: true, printBackground: true })).toString('latin1');
    const pages = pdf.match(/\/Type \/Page\b/g)!.length;
    expect(pages).toBeGreaterThanOrEqual(1 + 3);
    expect(pages).toBeLessThanOrEqual(1 + 3 * 2 + 2);
    await page.emulateMediaType('print');
    expect(await evaluate(`getComputedStyle(document.body).backgroundColor`)).toBe('rgb(255, 255, 255)');
    // A4 landscape without its margins.
    await open('full.html', 'dark', 1_032);
    expect(await evaluate(`document.documentElement.scrollWidth`)).toBeLessThanOrEqual(1_032);
    await page.emulateMediaType('screen');
  });

  it('is made for assistive technology: captions, scopes, one first heading, names of pictures', async () => {
    await open('full.html');
    const found = await evaluate<Record<string, number>>(`(() => {
      const count = (selector) => document.querySelectorAll(selector).length;
      const named = (svg) => svg.getAttribute('aria-labelledby').split(' ').every((id) => document.getElementById(id).textContent !== '');
      return { h1: count('h1'), h2: count('h2'), tables: count('table'), captions: count('table > caption'), unscoped: count('th:not([scope])'),
        unnamed: [...document.querySelectorAll('svg')].filter((svg) => !named(svg)).length,
        doubled: count('[id]') - new Set([...document.querySelectorAll('[id]')].map(({ id }) => id)).size,
        dead: [...document.querySelectorAll('a')].filter((a) => document.querySelector(a.getAttribute('href')) === null).length };
    })()`);
    expect(found).toEqual({ h1: 1, h2: 15, tables: 27, captions: 27, unscoped: 0, unnamed: 0, doubled: 0, dead: 0 });
  });

  it('runs nothing that a label says, and shows it', async () => {
    await open('hostile.html', 'light', 390);
    expect(await page.title()).toMatch(/^Failover report/);
    expect(await evaluate(`document.querySelectorAll('img, script').length`)).toBe(0);
    expect(await evaluate(`document.querySelector('h2').textContent`)).toContain('<script>');
    expect(await evaluate(`document.documentElement.scrollWidth`)).toBeLessThanOrEqual(390);
  });

  it('has pictures that stand alone', async () => {
    await open('05-alive.svg', 'dark');
    expect(await evaluate(`document.documentElement.localName`)).toBe('svg');
    expect(await evaluate(`document.documentElement.getBoundingClientRect().width`)).toBe(1_000);
    expect(await evaluate(`getComputedStyle(document.querySelector('.paper')).fill`)).toBe('rgb(20, 23, 27)');
    expect(await evaluate(`document.querySelector('.old').getBBox().width > 50`)).toBe(true);
  });

  it('asked for nothing but the files themselves, and the browser had nothing to complain of', () => {
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.filter((url) => !url.startsWith('file://'))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
