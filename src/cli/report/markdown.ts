import type { Recording } from '../bench/recording.js';
import { type ClientFacts, type FaultFacts, factsOf, LEVELS } from './facts.js';
import { escapeMarkdown } from './markup.js';
import {
  damages,
  date,
  figure,
  HOW,
  LEVEL_TEXTS,
  MARKS,
  middleHalf,
  outcomes,
  overall,
  pair,
  ratio,
  settingsOf,
  summaryOf,
  time,
} from './words.js';

/** The same report as Markdown: its tables, without the pictures. */
export function markdownReport(recording: Recording): string {
  const faults = factsOf(recording);
  return [
    `# Failover report, ${date(recording)}`,
    `${escapeMarkdown(settingsOf(recording).join(', '))}.`,
    glance(faults),
    LEVELS.map((level) => `- ${MARKS[level]} ${level}: ${LEVEL_TEXTS[level]}`).join('\n'),
    ...faults.flatMap((facts) => [
      `## ${escapeMarkdown(facts.fault)}`,
      escapeMarkdown(facts.description),
      factsTable(facts),
      latencyTable(facts),
    ]),
    '## How this was made',
    HOW.map(([term, text]) => `- **${term}**: ${text}`).join('\n'),
    '## Machine and versions',
    versions(recording),
    '',
  ].join('\n\n');
}

/** Cells are escaped already. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function glance(faults: readonly FaultFacts[]): string {
  const cell = (facts: ClientFacts | null, moves: boolean): string =>
    facts === null ? '' : [`${MARKS[facts.level]} **${time(facts.down.median)}**`, ...damages(facts, moves)].join(', ');
  return table(
    ['client', 'worst of all', ...faults.map(({ fault }) => escapeMarkdown(fault))],
    overall(faults).map((row) => [
      escapeMarkdown(row.client),
      `${MARKS[row.level]} **${time(row.down)}**, ${summaryOf(row)}`,
      ...row.cells.map((facts, i) => cell(facts, faults[i]!.moves)),
    ]),
  );
}

const FACTS_HEAD: readonly string[] = [
  'client',
  'first success, ms',
  'middle half',
  'of the bare limit',
  'last on the old server, ms',
  'longest wait, ms',
  'errors',
  'errors by outcome, all runs',
  'hung',
  'lost writes',
  'doubled writes',
];

function factsTable({ clients, bare, moves }: FaultFacts): string {
  const bareRow = ['bare limit', pair(bare), middleHalf(bare), '1×', ...FACTS_HEAD.slice(4).map(() => '')];
  const rows = clients.map((facts) => [
    escapeMarkdown(facts.client),
    ...(moves ? [pair(facts.firstSuccess), middleHalf(facts.firstSuccess), ratio(facts.ratio)] : ['–', '–', '–']),
    pair(facts.lastOnOld),
    pair(facts.longestWait),
    pair(facts.errors),
    escapeMarkdown(outcomes(facts)),
    pair(facts.hung),
    pair(facts.lost),
    pair(facts.doubled),
  ]);
  return `Median (worst) of the runs.\n\n${table(FACTS_HEAD, Number.isNaN(bare.median) ? rows : [bareRow, ...rows])}`;
}

function latencyTable({ clients }: FaultFacts): string {
  const rows = clients.flatMap(({ client, latency }) =>
    Object.entries(latency).map(([phase, { p50, p90, p99, p999, max }]) => [
      escapeMarkdown(client),
      phase,
      ...[p50, p90, p99, p999, max].map(figure),
    ]),
  );
  return `Latency, ms.\n\n${table(['client', 'phase', '50 %', '90 %', '99 %', '99.9 %', 'max'], rows)}`;
}

function versions({ machine, versions, startedAt }: Recording): string {
  return [
    `Begun ${startedAt}`,
    `${machine.cpus} × ${machine.cpu}`,
    machine.os,
    `Node ${machine.node}`,
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
  ]
    .map((line) => `- ${escapeMarkdown(line)}`)
    .join('\n');
}
