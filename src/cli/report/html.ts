import type { Recording } from '../bench/recording.js';
import { type FaultFacts, factsOf, type Level, LEVELS } from './facts.js';
import { type Markup, markup, trusted } from './markup.js';
import { PAGE_STYLE } from './style.js';
import { factsTable, glanceTable, latencyTable } from './tables.js';
import { timelineSvg } from './timeline-svg.js';
import { date, HOW, LEVEL_TEXTS, MARKS, settingsOf, time } from './words.js';

/** Whatever a label may hold, nothing of the page runs a script or asks the network. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The whole report as one page that needs nothing else. */
export function htmlReport(recording: Recording): string {
  const faults = factsOf(recording);
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${trusted(POLICY)}">
<title>Failover report, ${date(recording)}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<header>
<h1>How long are we down, and what breaks?</h1>
<p class="soft">Failover report, ${date(recording)}. ${settingsOf(recording).join(', ')}.</p>
</header>
<main>
<section aria-label="At a glance">${glanceTable(faults)}${keys()}${skippedOf(recording)}</section>
${faults.map((facts, i) => faultSection(facts, i + 1, recording))}
${howSection()}
${machineSection(recording)}
</main>
<footer>Made by eip-pool report. This page holds all that it shows: no script, nothing from the network.</footer>
</body>
</html>
`;
  return page.text;
}

function keys(): Markup {
  const key = (level: Level): Markup =>
    markup`<li><span class="key ${level}">${MARKS[level]} ${level}</span> ${LEVEL_TEXTS[level]}</li>`;
  return markup`<ul class="keys">${LEVELS.map(key)}</ul>`;
}

function skippedOf({ skipped = [] }: Recording): Markup | null {
  if (skipped.length === 0) return null;
  const each = skipped.map(({ client, reason }) => markup`<li><bdi>${client}</bdi>: ${reason}</li>`);
  return markup`<h3>Not measured</h3><ul>${each}</ul>`;
}

function faultSection(facts: FaultFacts, number: number, recording: Recording): Markup {
  const id = `fault-${number}`;
  const bares = facts.bares.map(({ name, limit }) => `${name}: ${time(limit.median)}.`).join(' ');
  return markup`<section class="fault" id="${id}" aria-labelledby="${id}-head">
<h2 id="${id}-head"><bdi>${facts.fault}</bdi></h2>
<p class="description">${facts.description}${/[.!?]$/.test(facts.description) ? '' : '.'}${bares === '' ? '' : ` ${bares}`}</p>
<figure><div class="scroll" role="region" tabindex="0" aria-label="${facts.fault}: timeline">${timelineSvg(facts, recording.settings, id, 'page')}</div>
<figcaption>Each strip: one client, the run in the middle; what became of the operations that were due then. Waited for it: due while the new server had not done anything yet, and done by it later. The bar under it: from t = 0 to the first success on the new server, median of the runs; the line goes on to the worst, and each small tick is a run.</figcaption></figure>
${factsTable(facts)}
${latencyTable(facts)}
</section>
`;
}

function howSection(): Markup {
  return markup`<section class="fault"><h2>How this was made</h2>
<div class="terms">${HOW.map(([term, text]) => markup`<div><h3>${term}</h3><p>${text}</p></div>`)}</div></section>
`;
}

function machineSection({ machine, versions, startedAt, settings }: Recording): Markup {
  const entry = (term: string, text: string): Markup => markup`<dt>${term}</dt><dd>${text}</dd>`;
  return markup`<section class="machine"><h2>Machine and versions</h2>
<dl>${entry('Begun', startedAt)}${entry('Processors', `${machine.cpus} × ${machine.cpu}`)}${entry('System', machine.os)}${entry('Node', machine.node)}
${Object.entries(versions).map(([name, version]) => entry(name, version))}
${entry('Watched', `${time(settings.beforeMillis)} before and ${time(settings.watchedMillis)} after t = 0, then ${time(settings.graceMillis)} for what was under way`)}</dl></section>
`;
}
