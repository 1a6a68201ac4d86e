import { type Column, columnsOf, type State, STATES } from './bins.js';
import type { Settings } from '../bench/recording.js';
import type { ClientFacts, FaultFacts } from './facts.js';
import { type Markup, markup, trusted } from './markup.js';
import { SVG_STYLE } from './style.js';
import { time } from './words.js';

const WIDTH = 1_000;
const LEFT = 216;
const RIGHT = 862;
const TOP = 34;
const ROW = 46;
const STRIP = 24;
const MOST_COLUMNS = 120;

interface Span {
  readonly from: number;
  readonly to: number;
}

/** From the first to the last that is drawn of a fault, or of what was watched where nothing is. */
function spanOf({ clients }: FaultFacts, { beforeMillis, watchedMillis }: Settings): Span {
  const bins = clients.flatMap(({ drawn }) => drawn?.timeline ?? []);
  if (bins.length === 0) return { from: -beforeMillis, to: watchedMillis };
  return {
    from: bins.reduce((from, { at }) => Math.min(from, at), 0),
    to: bins.reduce((to, { at, millis }) => Math.max(to, at + millis), 1),
  };
}

/**
 * A strip for each client, over the moment of the move: what became of the operations by when they were due, and under
 * it how long the client was down. `id` must be the only one of its kind in the document.
 */
export function timelineSvg(facts: FaultFacts, settings: Settings, id: string, own: 'page' | 'file'): Markup {
  const bottom = TOP + facts.clients.length * ROW;
  const height = bottom + 58;
  const span = spanOf(facts, settings);
  const x = scale(span);
  const width = own === 'file' ? markup` width="${WIDTH}" height="${height}"` : null;
  return markup`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}"${width} class="timeline" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">${facts.fault}: what became of each client's operations</title>
<desc id="${id}-desc">${describe(facts)}</desc>
${own === 'file' ? markup`<style>${trusted(SVG_STYLE)}</style>` : null}
<defs><clipPath id="${id}-labels"><rect width="${LEFT - 8}" height="${height}"/></clipPath>${trusted(patterns(id))}</defs>
${own === 'file' ? markup`<rect class="paper" width="${WIDTH}" height="${height}"/>` : null}
${grid(span, x, bottom)}
${facts.clients.map((client, i) => row(client, TOP + i * ROW, x, id))}
<path class="zero" d="M${coordinate(x(0))} ${TOP - 8}V${bottom}"/>
<text class="zero-label" x="${coordinate(x(0))}" y="${TOP - 15}" text-anchor="${anchorAt(x(0))}">t = 0: the fault is in force, the name has moved</text>
<text class="head" x="${WIDTH}" y="${TOP - 15}" text-anchor="end">first success</text>
${legend(height - 14, id)}
</svg>`;
}

function scale({ from, to }: Span): (at: number) => number {
  const within = (at: number): number => Math.min(Math.max(at, from), to);
  return (at) => LEFT + ((within(at) - from) / (to - from)) * (RIGHT - LEFT);
}

function coordinate(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A label near the left edge would run out of the picture if it were centred. */
function anchorAt(x: number): string {
  return x < LEFT + 170 ? 'start' : 'middle';
}

function describe({ clients }: FaultFacts): string {
  const each = clients.map(
    ({ client, firstSuccess: { median, worst } }) => `${client}: ${time(median)}, worst ${time(worst)}`,
  );
  return `Time to the first success on the new server, median of the runs. ${each.join('; ')}.`;
}

const TICKS: readonly number[] = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 300_000, 3_600_000];

function grid(span: Span, x: (at: number) => number, bottom: number): Markup[] {
  const length = span.to - span.from;
  const step = TICKS.find((tick) => length / tick <= 9) ?? length / 9;
  const first = Math.ceil(span.from / step);
  const ticks = Array.from({ length: Math.floor(span.to / step) - first + 1 }, (_, i) => (first + i) * step);
  return ticks.map((tick) => {
    const at = coordinate(x(tick));
    const seconds = tick === 0 ? '0' : `${(tick / 1_000).toLocaleString('en-US')} s`.replace('-', '−');
    return markup`<path class="grid" d="M${at} ${TOP}V${bottom}"/><text class="tick" x="${at}" y="${bottom + 16}" text-anchor="middle">${seconds}</text>`;
  });
}

function row(client: ClientFacts, top: number, x: (at: number) => number, id: string): Markup {
  const columns = client.drawn === null ? [] : columnsOf(client.drawn, MOST_COLUMNS);
  const { median, worst } = client.firstSuccess;
  const strip =
    columns.length === 0
      ? markup`<text class="tick" x="${LEFT + 8}" y="${top + 16}">no run of it was drawn</text>`
      : STATES.map((state) => area(columns, state, top, x, id));
  return markup`<g><title>${client.client}</title>
<text class="client" clip-path="url(#${id}-labels)" x="0" y="${top + 17}">${client.client}</text>
${strip}
${downtime(client, top + STRIP + 6, x)}
<text class="figure ${client.level}" x="${WIDTH}" y="${top + 13}" text-anchor="end">${time(median)}</text>
<text class="tick" x="${WIDTH}" y="${top + 28}" text-anchor="end">${worst === median ? (Number.isFinite(worst) ? '' : 'in every run') : `worst ${time(worst)}`}</text>
</g>
`;
}

/** The share of one state in every column, on top of the states before it. Equal neighbours become one rectangle. */
function area(columns: readonly Column[], state: State, top: number, x: (at: number) => number, id: string): Markup {
  const below = STATES.slice(0, STATES.indexOf(state));
  let path = '';
  let last: { from: number; to: number; low: number; high: number } | null = null;
  const flush = (): void => {
    if (last === null) return;
    const [left, right] = [coordinate(x(last.from)), coordinate(x(last.to))];
    path += `M${left} ${coordinate(top + STRIP * (1 - last.low))}V${coordinate(top + STRIP * (1 - last.high))}H${right}V${coordinate(top + STRIP * (1 - last.low))}z`;
  };
  for (const { from, to, shares } of columns) {
    const low = below.reduce((sum, one) => sum + shares[one], 0);
    const high = low + shares[state];
    if (last !== null && last.to === from && last.low === low && last.high === high) last.to = to;
    else {
      if (last !== null && last.high > last.low) flush();
      last = { from, to, low, high };
    }
  }
  if (last !== null && last.high > last.low) flush();
  return path === '' ? trusted('') : markup`<path class="${state}" fill="url(#${id}-${state})" d="${path}"/>`;
}

/** A bar from t = 0 to the median first success, a line to the worst, a tick for each run; an arrow where it is never. */
function downtime({ firstSuccess, firstSuccesses }: ClientFacts, y: number, x: (at: number) => number): Markup {
  const [zero, median, worst] = [x(0), x(firstSuccess.median), x(firstSuccess.worst)].map(coordinate);
  const ticks = firstSuccesses.filter(Number.isFinite).map((at) => `M${coordinate(x(at))} ${y - 4}v8`);
  const arrow =
    firstSuccess.worst === Infinity ? markup`<path class="arrow" d="M${RIGHT - 2} ${y - 5}l9 5l-9 5z"/>` : null;
  return markup`<path class="whisker" d="M${zero!} ${y}H${worst!}${[...new Set(ticks)].join('')}"/><path class="down" d="M${zero!} ${y}H${median!}"/>${arrow}`;
}

/** What each state is called, and where its entry begins. */
const LEGEND: Readonly<Record<State, readonly [text: string, left: number]>> = {
  before: ['as before', 0],
  new: ['on the new server', 114],
  waited: ['waited for it', 286],
  old: ['on the old one', 428],
  error: ['error', 578],
  hung: ['hung', 662],
};

function legend(y: number, id: string): Markup {
  const entries = STATES.map((state) => {
    const [text, left] = LEGEND[state];
    return markup`<rect class="${state}" fill="url(#${id}-${state})" x="${LEFT + left}" y="${y - 12}" width="22" height="14"/><text class="tick" x="${LEFT + left + 28}" y="${y}">${text}</text>`;
  });
  const down = markup`<path class="down" d="M0 ${y - 4}h22"/><text class="tick" x="30" y="${y}">until first success</text>`;
  return markup`${down}${entries}`;
}

/** A colour and a texture for each state: either is enough to tell them apart. */
function patterns(id: string): string {
  const pattern = (state: State, size: number, texture: string): string =>
    `<pattern id="${id}-${state}" patternUnits="userSpaceOnUse" width="${size}" height="${size}"><rect class="fill-${state}" width="${size}" height="${size}"/>${texture}</pattern>`;
  return [
    pattern('new', 8, ''),
    pattern('waited', 6, '<path class="texture-waited" d="M0 3H6"/>'),
    pattern('before', 8, ''),
    pattern('old', 6, '<path class="texture-old" d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5"/>'),
    pattern('error', 6, '<path class="texture-error" d="M0 0L6 6M6 0L0 6"/>'),
    pattern('hung', 6, '<circle class="texture-hung" cx="3" cy="3" r="1.1"/>'),
  ].join('');
}
