import type { LatencyHistogram } from '../bench/recording.js';
import type { ClientFacts, FaultFacts, Spread } from './facts.js';
import { type Markup, markup } from './markup.js';
import { damages, figure, MARKS, middleHalf, outcomes, overall, pair, ratio, summaryOf, time } from './words.js';

/** A table that is wider than the screen scrolls by itself, with the keyboard too. */
function scrolling(label: string, table: Markup): Markup {
  return markup`<div class="scroll" role="region" tabindex="0" aria-label="${label}">${table}</div>`;
}

/** Every client against every fault: what an operator wants to know first. */
export function glanceTable(faults: readonly FaultFacts[]): Markup {
  const heads = faults.map(({ fault }, i) => markup`<th scope="col"><a href="#fault-${i + 1}">${fault}</a></th>`);
  const rows = overall(faults).map(
    (row) => markup`<tr><th scope="row"><bdi>${row.client}</bdi></th>
<td class="total ${row.level}"><b>${MARKS[row.level]} ${time(row.down)}</b><span>${summaryOf(row)}</span></td>${row.cells.map(
      (cell) => glanceCell(cell),
    )}</tr>
`,
  );
  return scrolling(
    'At a glance',
    markup`<table class="glance"><caption><span>How long from t = 0 until it worked on the new server, median of the runs, and what broke. First the worst run of all.</span></caption>
<thead><tr><th scope="col">client</th><th scope="col">worst of all</th>${heads}</tr></thead>
<tbody>${rows}</tbody></table>`,
  );
}

function glanceCell(cell: ClientFacts | null): Markup {
  if (cell === null) return markup`<td><span>not measured</span></td>`;
  const lines = damages(cell).map((line) => markup`<span>${line}</span>`);
  return markup`<td class="${cell.level}"><b>${MARKS[cell.level]} ${time(cell.firstSuccess.median)}</b>${lines}</td>`;
}

/** Must be nothing in every run. */
function bad(spread: Spread): Markup {
  return spread.worst > 0 ? markup`<td class="bad">${pair(spread)}</td>` : markup`<td>${pair(spread)}</td>`;
}

export function factsTable({ fault, clients, bares }: FaultFacts): Markup {
  const bareRows = bares.map(
    ({ name, limit }) =>
      markup`<tr class="bare"><th scope="row">${name}</th><td>${figure(limit.median)}</td><td>${figure(limit.worst)}</td><td>${middleHalf(limit)}</td><td>1×</td><td class="set" colspan="12"></td></tr>`,
  );
  const rows = clients.map(
    (facts) => markup`<tr><th scope="row"><bdi>${facts.client}</bdi></th>${firstSuccess(facts)}
<td class="set">${pair(facts.noticed)}</td><td>${pair(facts.lastOnOld)}</td><td>${pair(facts.unavailable)}</td><td>${pair(facts.longestWait)}</td><td>${pair(facts.errors)}</td><td>${pair(facts.readErrors)}</td><td>${pair(facts.writeErrors)}</td><td class="text">${outcomes(facts)}</td>${bad(facts.hung)}${bad(facts.lost)}${bad(facts.doubled)}${bad(facts.crashes)}</tr>
`,
  );
  return scrolling(
    `${fault}: the facts`,
    markup`<table><caption><span><strong>The facts</strong> Milliseconds after t = 0, and counts: median (worst) of the runs. Errors by outcome: all runs together.</span></caption>
<thead><tr><td></td><th class="group" scope="colgroup" colspan="4">first success on the new server</th><th class="group set" scope="colgroup" colspan="12">what it cost</th></tr>
<tr><th scope="col">client</th><th scope="col">median</th><th scope="col">worst</th><th scope="col">middle half</th><th scope="col">of the bare limit</th><th class="set" scope="col">noticed</th><th scope="col">last on old server</th><th scope="col">longest gap</th><th scope="col">longest wait</th><th scope="col">errors</th><th scope="col">of reads</th><th scope="col">of writes</th><th class="text" scope="col">errors by outcome</th><th scope="col">hung</th><th scope="col">lost writes</th><th scope="col">doubled writes</th><th scope="col">crashes</th></tr></thead>
<tbody>${bareRows}${rows}</tbody></table>`,
  );
}

function firstSuccess({ firstSuccess, ratio: ofBare }: ClientFacts): Markup {
  const never = (value: number): Markup =>
    value === Infinity ? markup`<td class="bad">never</td>` : markup`<td>${figure(value)}</td>`;
  return markup`${never(firstSuccess.median)}${never(firstSuccess.worst)}<td>${middleHalf(firstSuccess)}</td><td>${ratio(ofBare)}</td>`;
}

const PERCENTILES = ['p50', 'p90', 'p99', 'p999', 'max'] as const;
const PERCENTILE_HEADS: readonly string[] = ['50 %', '90 %', '99 %', '99.9 %', 'max'];

export function latencyTable({ fault, clients }: FaultFacts): Markup {
  const heads = PERCENTILE_HEADS.map((head, i) => markup`<th scope="col"${i === 0 ? SET : null}>${head}</th>`);
  const cells = (histogram: LatencyHistogram): Markup[] =>
    PERCENTILES.map((name, i) => markup`<td${i === 0 ? SET : null}>${figure(histogram[name])}</td>`);
  const rows = clients.map(
    ({ client, latency }) =>
      markup`<tr><th scope="row"><bdi>${client}</bdi></th>${cells(latency.before)}${cells(latency.during)}${cells(latency.after)}</tr>
`,
  );
  const group = (name: string): Markup => markup`<th class="group set" scope="colgroup" colspan="5">${name}</th>`;
  return scrolling(
    `${fault}: latency`,
    markup`<table><caption><span><strong>Latency</strong> Milliseconds from when a successful operation was due to its end. Percentiles: median of the runs; max: of all. What failed or hung is not in it.</span></caption>
<thead><tr><td></td>${group('before')}${group('during the failover')}${group('after')}</tr>
<tr><th scope="col">client</th>${heads}${heads}${heads}</tr></thead>
<tbody>${rows}</tbody></table>`,
  );
}

const SET: Markup = markup` class="set"`;
