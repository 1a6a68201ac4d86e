import { type Command, FAILED, OK, REGION_OPTION, SERVER_OPTION } from '../command.js';
import { awsChecks } from '../doctor/aws.js';
import { type Finding, finding, type Level } from '../doctor/finding.js';
import { whereAmI } from '../doctor/imds.js';
import { answerChecks, nodeCheck, placeCheck } from '../doctor/local-checks.js';
import { serverChecks } from '../doctor/server.js';
import { inspect, viewOf } from '../inspect.js';
import { portOf } from '../login.js';
import type { Output, Style } from '../output.js';

export const doctor: Command = {
  name: 'doctor',
  usage: 'NAME [--url URL | --port PORT] [options]',
  summary: 'what could keep an application from following a name, each with what to do',
  examples: [
    'doctor db.example.com',
    'doctor db.example.com --port 5432',
    'doctor db.example.com --url postgres://app:secret@db.example.com/app --json',
  ],
  options: {
    url: { value: 'URL', help: 'log in too: postgres://… or mysql://…' },
    port: { value: 'PORT', help: 'the port of the server; that of the URL' },
    'no-aws': { help: 'do not ask the EC2 API' },
    ...SERVER_OPTION,
    ...REGION_OPTION,
  },
  maxPositionals: 1,
  async run(args, { output }) {
    const name = args.required(0, 'the name');
    const url = args.url();
    const port = args.port() ?? (url === undefined ? undefined : portOf(url));
    const [place, found] = await Promise.all([whereAmI(process.env), inspect(name, args.all('server'))]);
    const first = [nodeCheck(process.version), placeCheck(place), ...answerChecks(found)];
    const aws = args.has('no-aws')
      ? [finding('aws', 'skip', 'not asked')]
      : awsChecks({ found, place, region: args.get('region'), port });
    const [address] = found.addresses.filter((each) => viewOf(each, found.elasticIp) === 'private');
    const server =
      port === undefined || address === undefined
        ? [finding('connect', 'skip', port === undefined ? 'no --port or --url' : 'no private address to connect to')]
        : serverChecks(address, port, url);
    const findings = [...first, ...(await aws), ...(await server)];
    const failed = findings.some(({ level }) => level === 'fail');
    output.data({ name, ok: !failed, findings });
    print(findings, output);
    return failed ? FAILED : OK;
  },
};

const STYLES: Readonly<Record<Level, Style>> = { ok: 'green', warn: 'yellow', fail: 'red', skip: 'dim' };

function print(findings: readonly Finding[], output: Output): void {
  const width = Math.max(...findings.map(({ check }) => check.length));
  for (const { check, level, text, advice } of findings) {
    output.line(`${output.paint(STYLES[level], level.padEnd(4))}  ${check.padEnd(width)}  ${text}`);
    if (advice !== undefined) output.line(`      ${' '.repeat(width)}  → ${advice}`);
  }
}
