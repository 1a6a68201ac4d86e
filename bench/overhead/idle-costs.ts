import { setTimeout } from 'node:timers/promises';
import type { Child } from '../../src/cli/failover/rpc.js';
import { median } from '../../src/cli/bench/statistics.js';
import type { CostMethods } from './cost-process.js';
import type { DriverName, Kind } from './driver.js';
import { inProcess } from './in-process.js';
import type { LabMethods, Server } from './lab-process.js';

const MODULE = 'cost-process.js';
const CONNECTIONS = 100;
const REPEATS = 5;

/** Bytes of heap and external memory for one more idle connection, the median of some processes. */
export async function memoryPerConnection(driver: DriverName, kind: Kind, server: Server): Promise<number> {
  const results: number[] = [];
  for (let i = 0; i < REPEATS; i++)
    results.push(await inProcess(MODULE, (process: Child<CostMethods>) => oneMemory(process, driver, kind, server)));
  return median(results);
}

async function oneMemory(process: Child<CostMethods>, driver: DriverName, kind: Kind, server: Server): Promise<number> {
  // A small pool first: what is loaded and compiled once is no cost of a connection.
  await process.call('fill', { driver, kind, server, connections: 2 });
  const before = await process.call('memory');
  await process.call('fill', { driver, kind, server, connections: CONNECTIONS });
  return ((await process.call('memory')) - before) / CONNECTIONS;
}

/** DNS questions in an hour of so many idle pools on one name in one process, from what they ask in this time. */
export async function dnsPerHour(
  driver: DriverName,
  server: Server,
  lab: Child<LabMethods>,
  pools: number,
  millis: number,
): Promise<number> {
  return await inProcess(MODULE, async (process: Child<CostMethods>) => {
    for (let i = 0; i < pools; i++) await process.call('fill', { driver, kind: 'ours', server, connections: 1 });
    // The questions of the start are no steady state.
    await setTimeout(SETTLE_MILLIS);
    const before = await lab.call('dnsQueries');
    const begunAt = performance.now();
    await setTimeout(millis);
    const asked = (await lab.call('dnsQueries')) - before;
    return (asked * HOUR_MILLIS) / (performance.now() - begunAt);
  });
}

const SETTLE_MILLIS = 2_500;
const HOUR_MILLIS = 3_600_000;
