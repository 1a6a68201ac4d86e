import type * as PromClient from 'prom-client';
import { EipPoolError } from '../../errors.js';
import { placeText } from './places.js';
import { END_REASONS } from './relay.js';
import type { Route, RouteCounts } from './route.js';

/** What Prometheus is told. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

/** From half a millisecond, as to the next machine, to a failover's half minute. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const STATES = ['resolving', 'steady', 'suspect', 'down', 'closed'] as const;
const LABELS = ['listen', 'name'] as const;

/** @throws `PEER_MISSING` */
export async function loadMetrics(routes: readonly Route[]): Promise<Metrics> {
  const client = await loadClient();
  const registry = new client.Registry();
  client.collectDefaultMetrics({ register: registry });
  addCounters(client, registry, routes);
  addGauges(client, registry, routes);
  addWaits(client, registry, routes);
  return { contentType: registry.contentType, text: () => registry.metrics() };
}

async function loadClient(): Promise<typeof PromClient> {
  try {
    return await import('prom-client');
  } catch (cause) {
    throw new EipPoolError('PEER_MISSING', '--admin needs the package prom-client: npm install prom-client', { cause });
  }
}

type Labels = Readonly<Record<(typeof LABELS)[number], string>>;

function labelsOf({ listening, settings }: Route): Labels {
  return { listen: placeText(listening), name: settings.target.name };
}

/** They are counted where they happen, and told when somebody asks. */
function addCounters(client: typeof PromClient, registry: PromClient.Registry, routes: readonly Route[]): void {
  const add = (
    name: string,
    help: string,
    told: (counts: RouteCounts) => readonly (readonly [number, Readonly<Record<string, string>>])[],
    labels: readonly string[] = [],
  ): void => {
    const counter: PromClient.Counter = new client.Counter({
      name: `eip_pool_proxy_${name}`,
      help,
      labelNames: [...LABELS, ...labels],
      registers: [registry],
      collect() {
        counter.reset();
        for (const route of routes) {
          for (const [value, own] of told(route.counts)) counter.inc({ ...labelsOf(route), ...own }, value);
        }
      },
    });
  };
  add('connections_total', 'Clients that were accepted.', ({ accepted }) => [[accepted, {}]]);
  add('dropped_total', 'Clients that were closed at once, beyond --max-connections.', ({ dropped }) => [[dropped, {}]]);
  add('moves_total', 'How often the name left an address.', ({ moves }) => [[moves, {}]]);
  add(
    'ended_total',
    'Connections that are over, by what ended them.',
    ({ ended }) => END_REASONS.map((reason) => [ended[reason], { reason }]),
    ['reason'],
  );
  add(
    'bytes_total',
    'Bytes from clients, and to them.',
    ({ bytesFromClients, bytesToClients }) => [
      [bytesFromClients, { direction: 'from-client' }],
      [bytesToClients, { direction: 'to-client' }],
    ],
    ['direction'],
  );
}

function addGauges(client: typeof PromClient, registry: PromClient.Registry, routes: readonly Route[]): void {
  const connections: PromClient.Gauge = new client.Gauge({
    name: 'eip_pool_proxy_connections',
    help: 'Clients that are connected: those that wait for a server, and all others.',
    labelNames: [...LABELS, 'state'],
    registers: [registry],
    collect() {
      for (const route of routes) {
        for (const [state, value] of Object.entries(route.clients)) {
          connections.set({ ...labelsOf(route), state }, value);
        }
      }
    },
  });
  const states: PromClient.Gauge = new client.Gauge({
    name: 'eip_pool_proxy_endpoint_state',
    help: '1 for the state in which the name is, 0 for all others.',
    labelNames: [...LABELS, 'state'],
    registers: [registry],
    collect() {
      for (const route of routes) {
        for (const state of STATES) states.set({ ...labelsOf(route), state }, Number(route.endpoint.state === state));
      }
    },
  });
}

function addWaits(client: typeof PromClient, registry: PromClient.Registry, routes: readonly Route[]): void {
  const waits = new client.Histogram({
    name: 'eip_pool_proxy_wait_seconds',
    help: 'How long clients waited until a server took their connection.',
    labelNames: LABELS,
    buckets: SECONDS,
    registers: [registry],
  });
  for (const route of routes) {
    route.onJoined = (waitedMillis) => waits.observe(labelsOf(route), waitedMillis / 1_000);
  }
}
