import type { Summary } from '../../failover/operation.js';
import { median } from '../statistics.js';
import type { ClientRecord, SwitchRecord } from './switches.js';

const HEAD: readonly string[] = [
  'client',
  'first success, ms',
  '× bare limit',
  'last on the old server, ms',
  'back on the old server',
  'errors',
  'hung',
  'longest wait, ms',
  'writes lost',
  'writes doubled',
];

/** Median and worst of the switches: what a client was told, DNS and the bare limit first. */
export function table(switches: readonly SwitchRecord[], watchedMillis: number): string {
  const bare = switches.map(({ bareMillis }) => bareMillis);
  const labels = switches[0]?.clients.map(({ client }) => client) ?? [];
  const lines = [
    HEAD,
    HEAD.map(() => '---'),
    only('DNS answers the new address', pair(switches.map(({ dnsMillis }) => dnsMillis))),
    only('bare limit', pair(bare), '1'),
    ...labels.map((label) =>
      cells(
        label,
        switches.flatMap(({ clients }) => clients.filter(({ client }) => client === label)),
        median(bare),
        watchedMillis,
      ),
    ),
  ];
  return lines.map((columns) => `| ${columns.join(' | ')} |`).join('\n');
}

function only(...columns: string[]): string[] {
  return HEAD.map((_, index) => columns[index] ?? '');
}

function cells(
  label: string,
  records: readonly ClientRecord[],
  bareMillis: number,
  watchedMillis: number,
): readonly string[] {
  const of = (value: (summary: Summary) => number | null, missing = 0): number[] =>
    records.map(({ summary }) => value(summary) ?? missing);
  const first = of(({ firstSuccess }) => firstSuccess, Infinity);
  const ratio = median(first) / bareMillis;
  const writes = records.flatMap((each) => each.writes ?? []);
  const sum = (values: readonly number[]): string =>
    writes.length === 0 ? '' : String(values.reduce((a, b) => a + b, 0));
  return [
    label,
    pair(first),
    Number.isFinite(ratio) ? ratio.toFixed(1) : '',
    // The old server did the last of the operations that were watched.
    pair(of(({ lastOnOld }) => lastOnOld).map((millis) => Math.min(millis, watchedMillis))),
    pair(of(({ backOnOld }) => backOnOld)),
    pair(of(({ errors }) => errors)),
    pair(of(({ hung }) => hung)),
    pair(of(({ longestWait }) => longestWait)),
    sum(writes.map(({ lost }) => lost)),
    sum(writes.map(({ doubled }) => doubled)),
  ];
}

/** `median (worst)`; what did not happen while it was watched is `never`. */
function pair(values: readonly number[]): string {
  const show = (value: number): string => (Number.isFinite(value) ? value.toFixed(0) : 'never');
  const [middle, worst] = [show(median(values)), show(Math.max(...values))];
  return middle === worst ? middle : `${middle} (${worst})`;
}
