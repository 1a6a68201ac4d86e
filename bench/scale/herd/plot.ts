/** One line of a plot; its points by rising x. */
export interface Series {
  readonly label: string;
  readonly points: readonly (readonly [number, number])[];
}

export interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly series: readonly Series[];
}

const WIDTH = 460;
const HEIGHT = 320;
const MARGIN = { left: 64, right: 16, top: 34, bottom: 44 };
const LEGEND_HEIGHT = 30;
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #222 } .title { font-weight: 600 } .grid { stroke: #ddd } .axis { stroke: #555 }
  polyline { fill: none; stroke-width: 2 } .s0 { stroke: #0a7d4f; fill: #0a7d4f } .s1 { stroke: #c2410c; fill: #c2410c } .s2 { stroke: #6d28d9; fill: #6d28d9 }
  polyline.s0, polyline.s1, polyline.s2 { fill: none } .paper { fill: #fff }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .grid { stroke: #444 } .axis { stroke: #999 } .paper { fill: #181818 }
    .s0 { stroke: #34d399; fill: #34d399 } .s1 { stroke: #fb923c; fill: #fb923c } .s2 { stroke: #a78bfa; fill: #a78bfa }
  }`;

/** Panels beside each other, both axes logarithmic; readable in light and dark. What is not finite is left out. */
export function plot(panels: readonly Panel[]): string {
  const [width, height] = [panels.length * WIDTH, HEIGHT + LEGEND_HEIGHT];
  const labels = panels[0]?.series.map(({ label }) => label) ?? [];
  const parts = panels.map((panel, i) => `<g transform="translate(${i * WIDTH} 0)">${drawPanel(panel)}</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>${STYLE}</style><rect class="paper" width="100%" height="100%"/>
${parts.join('\n')}
${legend(labels)}
</svg>
`;
}

function drawPanel({ title, xLabel, series }: Panel): string {
  const points = series.flatMap((each) => each.points).filter(([, y]) => Number.isFinite(y) && y > 0);
  const x = scale(points.map(([value]) => value), MARGIN.left, WIDTH - MARGIN.right); // prettier-ignore
  const y = scale(points.map(([, value]) => value), HEIGHT - MARGIN.bottom, MARGIN.top); // prettier-ignore
  const [bottom, right] = [HEIGHT - MARGIN.bottom, WIDTH - MARGIN.right];
  return [
    `<text class="title" x="${MARGIN.left}" y="20">${escape(title)}</text>`,
    ...y.ticks.map(
      ([value, at]) =>
        `<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${at}" y2="${at}"/>` +
        `<text x="${MARGIN.left - 6}" y="${at + 4}" text-anchor="end">${short(value)}</text>`,
    ),
    ...x.ticks.map(([value, at]) => `<text x="${at}" y="${bottom + 18}" text-anchor="middle">${short(value)}</text>`),
    `<line class="axis" x1="${MARGIN.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    `<text x="${(MARGIN.left + right) / 2}" y="${bottom + 36}" text-anchor="middle">${escape(xLabel)}</text>`,
    ...series.map((each, i) => drawSeries(each, i, x.at, y.at)),
  ].join('');
}

function drawSeries(
  { points }: Series,
  index: number,
  x: (value: number) => number,
  y: (value: number) => number,
): string {
  const drawn = points
    .filter(([, value]) => Number.isFinite(value) && value > 0)
    .map(([a, b]) => [x(a), y(b)] as const);
  const line = drawn.map(([a, b]) => `${a},${b}`).join(' ');
  const dots = drawn.map(([a, b]) => `<circle class="s${index}" cx="${a}" cy="${b}" r="3"/>`);
  return `<polyline class="s${index}" points="${line}"/>${dots.join('')}`;
}

function legend(labels: readonly string[]): string {
  const step = 210;
  const at = (i: number): number => MARGIN.left + i * step;
  return labels
    .map(
      (label, i) =>
        `<circle class="s${i}" cx="${at(i)}" cy="${HEIGHT + 8}" r="4"/><text x="${at(i) + 10}" y="${HEIGHT + 12}">${escape(label)}</text>`,
    )
    .join('');
}

interface Scale {
  readonly at: (value: number) => number;
  /** A value, and where it is. */
  readonly ticks: readonly (readonly [number, number])[];
}

/** Logarithmic, from the power of ten below the values to the one above. */
function scale(values: readonly number[], from: number, to: number): Scale {
  const low = Math.floor(Math.log10(Math.min(...values, 1e9)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values, 1))));
  const at = (value: number): number =>
    Math.round((from + ((Math.log10(value) - low) / (high - low)) * (to - from)) * 10) / 10;
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  return { at, ticks: ticks.map((value) => [value, at(value)]) };
}

function short(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 3 });
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
