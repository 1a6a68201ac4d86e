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
    ...skippedOf(recording),
    '## How this was made',
    HOW.map(([term, text]) => `- **${term}**: ${text}`).join('\n'),
    '## Machine and versions',
    versions(recording),
    '',
  ].join('\n\n');
}

function skippedOf({ skipped = [] }: Recording): string[] {
  if (skipped.length === 0) return [];
  return [
    '## Not measured',
    skipped.map(({ client, reason }) => `- ${escapeMarkdown(`${client}: ${reason}`)}`).join('\n'),
  ];
}

/** Cells are escaped already. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function glance(faults: readonly FaultFacts[]): string {
  const cell = (facts: ClientFacts | null): string =>
    facts === null
      ? ''
      : [`${MARKS[facts.level]} **${time(facts.firstSuccess.median)}**`, ...damages(facts)].join(', ');
  return table(
    ['client', 'worst of all', ...faults.map(({ fault }) => escapeMarkdown(fault))],
    overall(faults).map((row) => [
      escapeMarkdown(row.client),
      `${MARKS[row.level]} **${time(row.down)}**, ${summaryOf(row)}`,
      ...row.cells.map(cell),
    ]),
  );
}

const FACTS_HEAD: readonly string[] = [
  'client',
  'first success, ms',
  'middle half',
  'of the bare limit',
  'last on the old server, ms',
  'noticed, ms',
  'longest gap, ms',
  'longest wait, ms',
  'errors',
  'of reads',
  'of writes',
  'errors by outcome, all runs',
  'hung',
  'lost writes',
  'doubled writes',
  'crashes',
];

function factsTable({ clients, bares }: FaultFacts): string {
  const bareRows = bares.map(({ name, limit }) => [
    name,
    pair(limit),
    middleHalf(limit),
    '1×',
    ...FACTS_HEAD.slice(4).map(() => ''),
  ]);
  const rows = clients.map((facts) => [
    escapeMarkdown(facts.client),
    pair(facts.firstSuccess),
    middleHalf(facts.firstSuccess),
    ratio(facts.ratio),
    pair(facts.lastOnOld),
    pair(facts.noticed),
    pair(facts.unavailable),
    pair(facts.longestWait),
    pair(facts.errors),
    pair(facts.readErrors),
    pair(facts.writeErrors),
    escapeMarkdown(outcomes(facts)),
    pair(facts.hung),
    pair(facts.lost),
    pair(facts.doubled),
    pair(facts.crashes),
  ]);
  return `Median (worst) of the runs.\n\n${table(FACTS_HEAD, [...bareRows, ...rows])}`;
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
