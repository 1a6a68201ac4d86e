import type { Clock } from '../clock.js';
import type { Address, Service } from '../endpoint/address.js';
import { type EndReason, EipPoolError } from '../errors.js';
import type { Connection, Prober } from './connection.js';
import { deadline } from './deadline.js';
import { inquire } from './inquiry.js';
import type { Kernel } from './kernel.js';
import { canPing } from './ping.js';
import type { FollowedSocket } from './followed-socket.js';

/** Design, sockets rule 2: the name left an address, and there are open sockets to a service there. */
export interface Parting {
  readonly name: string;
  readonly service: Service;
  /** Where the name points now, for messages. */
  readonly to: readonly Address[];
  readonly known: 'unknown' | 'dead';
  readonly clock: Clock;
  readonly kernel: Kernel;
  readonly prober: Prober | undefined;
  readonly pingBoundMillis: number;
  readonly closeIdle: (sockets: readonly FollowedSocket[], error: EipPoolError) => void;
}

/** Once this returns, none of the sockets can be leased again. */
export function partOf(sockets: readonly FollowedSocket[], parting: Parting): void {
  const idle: FollowedSocket[] = [];
  const leased: Leased[] = [];
  for (const socket of sockets) {
    const { connection } = socket;
    if (connection?.isLeased() === true) leased.push({ socket, connection });
    else idle.push(socket);
    socket.leave();
    connection?.retire();
  }
  if (parting.known === 'dead') {
    const error = deadError(parting, 'the server there does not answer');
    parting.closeIdle(idle, error);
    cutAll(leased, error);
    return;
  }
  const askable = idle.filter(canPing);
  const witnesses = leased.length > 0 ? askable.slice(0, WITNESSES) : [];
  const others = idle.filter((socket) => !witnesses.includes(socket));
  parting.closeIdle(others, leftError(parting, 'nothing was running on it'));
  for (const lease of leased) drain(lease, parting);
  if (leased.length > 0) void examine(witnesses, leased, parting);
}

/** One is asked at once, and another one a while later. */
const WITNESSES = 2;

interface Leased {
  readonly socket: FollowedSocket;
  readonly connection: Connection;
}

function drain({ socket, connection }: Leased, parting: Parting): void {
  const { drainMillis, drainOption = 'failover.drainMillis' } = connection;
  // A deadline once given is never extended: a socket parts from its address only once. What the server has said by then
  // is read first, also by a process that was too busy to read it in time.
  const callOff = deadline(parting.clock, drainMillis, () => {
    socket.cut(leftError(parting, `its work did not end within ${drainMillis} ms (${drainOption})`));
  });
  socket.once('close', callOff);
}

/** Does the service still live? If not, nobody waits for its leases to drain. */
async function examine(
  witnesses: readonly FollowedSocket[],
  leased: readonly Leased[],
  parting: Parting,
): Promise<void> {
  const { service, clock, kernel, prober } = parting;
  const silenceMillis = silenceOf(leased, parting);
  if (silenceMillis !== null && (prober !== undefined || witnesses.length > 0)) {
    const { verdict } = await inquire({
      service,
      clock,
      kernel,
      present: false,
      ask: prober === undefined ? null : (socket) => prober.askLeft(socket),
      sockets: [...witnesses, ...leased.map(({ socket }) => socket)],
      idle: witnesses,
      pingFrom: 'first',
      boundMillis: silenceMillis / 2,
      silenceMillis,
      onUnanswered: () => {},
    });
    const why = `the server there did not answer within ${Math.round(silenceMillis)} ms`;
    if (verdict === 'dead') cutAll(leased, deadError(parting, why));
  }
  parting.closeIdle(witnesses, leftError(parting, 'nothing was running on it'));
}

/** A server that may be slow to speak is given this share of the time that its leases have. */
const SHARE_OF_DRAIN = 1 / 4;
/** What a present server is given is enough for one that was left. */
const LONGEST_MILLIS = 3_000;

/** For how long the server may say nothing until its leases are cut; null where they do not have as much time anyway. */
function silenceOf(leased: readonly Leased[], { pingBoundMillis }: Parting): number | null {
  const drainMillis = Math.max(...leased.map(({ connection }) => connection.drainMillis));
  const shortest = 2 * pingBoundMillis;
  const silenceMillis = Math.max(shortest, Math.min(LONGEST_MILLIS, SHARE_OF_DRAIN * drainMillis));
  return silenceMillis < drainMillis ? silenceMillis : null;
}

function leftError({ name, service: { address }, to }: Parting, why: string): EipPoolError {
  return new EipPoolError(
    'ADDRESS_LEFT',
    `connection to ${name} at ${address} was closed: the name moved to ${to.join(', ')}, and ${why}`,
  );
}

function deadError({ name, service: { address }, to }: Parting, why: string): EipPoolError {
  return new EipPoolError(
    'ADDRESS_DEAD',
    `connection to ${name} at ${address} was cut: ${why}; the name is at ${to.join(', ')}`,
  );
}

function cutAll(leased: readonly Leased[], reason: EndReason): void {
  for (const { socket } of leased) if (socket.state.kind === 'leaving') socket.cut(reason);
}
