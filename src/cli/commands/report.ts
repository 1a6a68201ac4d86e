import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../../errors.js';
import { UsageError } from '../args.js';
import { type Command, OK } from '../command.js';
import { factsOf } from '../report/facts.js';
import { filesOf } from '../report/files.js';
import { visible } from '../report/markup.js';
import { readRecording, RecordingError } from '../report/read-recording.js';
import { overall, summaryOf, time } from '../report/words.js';

export const report: Command = {
  name: 'report',
  usage: 'FILE.json [--html FILE] [--markdown FILE] [--svg DIR]',
  summary: 'a page, tables and pictures of what bench failover --json measured',
  examples: [
    'report failover.json',
    'report failover.json --html report.html --markdown report.md --svg pictures',
    'report failover.json --json',
  ],
  options: {
    html: { value: 'FILE', help: 'the page; without any of the three: FILE.html beside FILE.json' },
    markdown: { value: 'FILE', help: 'the tables as Markdown' },
    svg: { value: 'DIR', help: 'the timelines, a picture for each fault; made if it is not there' },
  },
  maxPositionals: 1,
  async run(args, { output }) {
    const file = args.required(0, 'the recording, as bench failover --json writes it,');
    const recording = await load(file);
    const [markdown, svg] = [args.get('markdown'), args.get('svg')];
    const html = args.get('html') ?? ((markdown ?? svg) ? undefined : besides(file));
    const files = filesOf(recording, { html, markdown, svg });
    const inPlace = files.find((one) => path.resolve(one.path) === path.resolve(file));
    if (inPlace !== undefined) throw new UsageError(`${file} is the recording: write the report elsewhere`);
    if (svg !== undefined) await mkdir(svg, { recursive: true });
    for (const { path, text } of files) await writeFile(path, text);
    const faults = factsOf(recording);
    output.data({ files: files.map(({ path }) => path), faults });
    for (const row of overall(faults)) {
      output.line(visible(`${row.client}: ${summaryOf(row)} faults, worst ${time(row.down)} (${row.fault})`));
    }
    for (const { path } of files) output.line(path);
    return OK;
  },
};

async function load(file: string): Promise<ReturnType<typeof readRecording>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read the recording: ${messageOf(error)}`);
  }
  try {
    return readRecording(text);
  } catch (error) {
    if (error instanceof RecordingError) throw new RecordingError(`${file}: ${error.message}`);
    throw error;
  }
}

/** `failover.html` for `failover.json`, in the same directory. */
function besides(file: string): string {
  const { dir, name } = path.parse(file);
  return path.join(dir, `${name}.html`);
}
