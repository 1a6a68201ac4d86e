import { writeFileSync } from 'node:fs';
import { Ec2Client } from '../../../ec2/client.js';
import { ElasticIp } from '../../../ec2/index.js';
import { messageOf } from '../../../errors.js';
import { FAILED, MISUSED, OK } from '../../command.js';
import { POOL_SIZE } from '../../failover/client.js';
import { SIGNALS } from '../../failover/real-network.js';
import { explainMisuse } from '../../misuse.js';
import { within } from '../../within.js';
import { toJson } from '../record.js';
import { BorrowedAddress, describeRestored, restoreCommand } from './borrowed-address.js';
import { type Ground, survey } from './ground.js';
import { HELP, OPTIONS, type Plan, readPlan } from './options.js';
import { markdown, recording } from './results.js';
import { type SwitchRecord, switchBackAndForth, unlessAborted } from './switches.js';
import { BenchTable } from './table.js';

/** What a shell sees of a program that Ctrl-C ended. */
const INTERRUPTED = 130;
/** A call that hangs would hold up the restoration. */
const HTTP = { requestTimeout: 10_000, connectionTimeout: 5_000, throwOnRequestTimeout: true };

const DROP_MILLIS = 30_000;

/** `bench failover --ec2`. Resolves to the exit status; without `--yes` that of arguments that are not enough. */
export async function runBenchOnEc2(args: readonly string[]): Promise<number> {
  let plan: Plan | 'help';
  try {
    plan = readPlan(args);
  } catch (error) {
    process.stderr.write(`${explainMisuse(error, args, Object.keys(OPTIONS))}\n\n${HELP}`);
    return MISUSED;
  }
  if (plan === 'help') {
    process.stdout.write(HELP);
    return OK;
  }
  const stop = new AbortController();
  const givenUp = new AbortController();
  const unguard = guard(stop, givenUp);
  try {
    return await benchOnEc2(plan, stop.signal, givenUp.signal);
  } catch (error) {
    process.stderr.write(`eip-pool: ${messageOf(error)}\n`);
    return error instanceof Interrupted ? INTERRUPTED : FAILED;
  } finally {
    unguard();
  }
}

class Interrupted extends Error {}

async function benchOnEc2(plan: Plan, stop: AbortSignal, givenUp: AbortSignal): Promise<number> {
  const options = { region: plan.region, config: { requestHandler: HTTP } };
  const elasticIp = new ElasticIp(plan.allocationId, options);
  const { ground, table } = await unlessAborted(lookAround(plan, elasticIp, new Ec2Client(options, 'sdk')), stop);
  process.stdout.write(announce(plan, ground));
  if (!plan.agreed) return MISUSED;
  const startedAt = new Date();
  const switches: SwitchRecord[] = [];
  const address = new BorrowedAddress(elasticIp, ground);
  let failure: unknown = null;
  try {
    // Waited for: one that is under way could not be dropped.
    await table?.create();
    for await (const record of switchBackAndForth({ plan, ground, address, table, signal: stop })) {
      switches.push(record);
      process.stderr.write(progress(record, switches.length, plan));
    }
  } catch (error) {
    failure = stop.aborted ? stop.reason : error;
    process.stderr.write(`${messageOf(failure)}\n`);
  }
  const ok = await cleanUp(plan, ground, address, table, givenUp);
  if (switches.length > 0) report(plan, switches, startedAt);
  if (!ok) return FAILED;
  return failure instanceof Interrupted ? INTERRUPTED : failure === null ? OK : FAILED;
}

/** Changes nothing. @throws why it could not be done */
async function lookAround(
  plan: Plan,
  elasticIp: ElasticIp,
  client: Ec2Client,
): Promise<{ readonly ground: Ground; readonly table: BenchTable | null }> {
  const ground = await survey(client, plan);
  const table = plan.table === null ? null : new BenchTable(plan.table, plan.url, ground);
  await table?.check();
  for (const { target } of ground.sides) await elasticIp.checkAssociate(target);
  return { ground, table };
}

function announce(
  { contenders, runs, ratePerSecond, watchedMillis, table, agreed, url }: Plan,
  ground: Ground,
): string {
  const [home, other] = ground.sides;
  const writes = `half of them inserts into the table ${table}, which is created on both servers and dropped at the end`;
  return [
    `The Elastic IP ${ground.allocationId} (${ground.publicIp}) is on ${home.instanceId} (${home.privateAddress}).`,
    `It ${agreed ? 'is' : 'would be'} switched to ${other.instanceId} (${other.privateAddress}) and back, ${runs} switches in all, and put back in the end.`,
    `All that use ${url.hostname} go along, not only this benchmark.`,
    `Load: ${contenders.map(({ label }) => label).join(', ')}; each ${POOL_SIZE} connections and ${ratePerSecond} statements a second, ${watchedMillis / 1_000} s a switch,`,
    `      ${table === null ? 'which only read (select …): nothing is written' : writes}.`,
    ...(ground.lostAddress === null
      ? []
      : [
          `${other.instanceId} has a public address of its own, ${ground.lostAddress}, and gets another one afterwards.`,
        ]),
    'However this ends, the Elastic IP is put back; only if this process is killed (kill -9, power), do it by hand:',
    `  ${restoreCommand(ground)}`,
    ...(agreed ? [] : ['Nothing was changed. Add --yes to do it.']),
    '',
  ].join('\n');
}

/**
 * Until what it returns is called nothing ends the process by itself, not even a terminal that has gone: whatever would,
 * aborts `stop`, so that the Elastic IP is put back first; a second signal gives that up.
 */
function guard(stop: AbortController, givenUp: AbortController): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) givenUp.abort();
    else stop.abort(new Interrupted(`${signal}: ending as soon as the Elastic IP is where it was`));
  };
  const onError = (error: unknown): void => stop.abort(error);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.on('uncaughtException', onError).on('unhandledRejection', onError);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    process.off('uncaughtException', onError).off('unhandledRejection', onError);
  };
}

/** However the measuring ended, the Elastic IP is put back and the table dropped. */
async function cleanUp(
  plan: Plan,
  ground: Ground,
  address: BorrowedAddress,
  table: BenchTable | null,
  givenUp: AbortSignal,
): Promise<boolean> {
  const restored = await address.restore({
    millis: plan.restoreMillis,
    givenUp,
    onFailure: (error) => process.stderr.write(`putting it back: ${messageOf(error)}\n`),
  });
  const { ok, text } = describeRestored(restored, ground);
  process.stderr.write(`${text}\n`);
  try {
    if (table !== null) await within(DROP_MILLIS, 'dropping the table', table.drop());
    return ok;
  } catch (error) {
    process.stderr.write(
      `the table could not be dropped: ${messageOf(error)}\n  drop table if exists ${table?.name}\n`,
    );
    return false;
  }
}

function progress(
  { from, to, callMillis, dnsMillis, runs }: SwitchRecord,
  done: number,
  { contenders, runs: all }: Plan,
): string {
  const first = runs.map(({ summary }, i) => `${contenders[i]!.label} ${summary.firstSuccess?.toFixed(0) ?? 'never'}`);
  const call = `the call took ${callMillis.toFixed(0)} ms, DNS ${dnsMillis.toFixed(0)} ms`;
  return `switch ${done} of ${all}, ${from} → ${to}: ${call}; first success: ${first.join(', ')}\n`;
}

function report(plan: Plan, switches: readonly SwitchRecord[], startedAt: Date): void {
  process.stdout.write(`\n${markdown(plan, switches)}`);
  if (plan.json !== undefined) writeFileSync(plan.json, toJson(recording(plan, switches, startedAt)));
}
