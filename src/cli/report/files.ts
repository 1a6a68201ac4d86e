import path from 'node:path';
import type { Recording } from '../bench/recording.js';
import { factsOf } from './facts.js';
import { htmlReport } from './html.js';
import { markdownReport } from './markdown.js';
import { timelineSvg } from './timeline-svg.js';

export interface Wanted {
  readonly html: string | undefined;
  readonly markdown: string | undefined;
  /** A directory. */
  readonly svg: string | undefined;
}

/** A file to be written. */
export interface File {
  readonly path: string;
  readonly text: string;
}

/** Every file of a report, with what is in it. */
export function filesOf(recording: Recording, { html, markdown, svg }: Wanted): File[] {
  return [
    ...(html === undefined ? [] : [{ path: html, text: htmlReport(recording) }]),
    ...(markdown === undefined ? [] : [{ path: markdown, text: markdownReport(recording) }]),
    ...(svg === undefined ? [] : pictures(recording, svg)),
  ];
}

function pictures(recording: Recording, directory: string): File[] {
  return factsOf(recording).map((facts, i) => ({
    path: path.join(directory, `${String(i + 1).padStart(2, '0')}-${slug(facts.fault)}.svg`),
    text: `${timelineSvg(facts, recording.settings, 'timeline', 'file').text}\n`,
  }));
}

/** The fault's name is text of the file: nothing of it may lead out of the directory. */
function slug(name: string): string {
  const plain = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  return plain.slice(0, 40) || 'fault';
}
