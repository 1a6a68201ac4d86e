import type { Clock } from '../clock.js';
import type { Address } from '../endpoint/address.js';
import { EipPoolError, messageOf } from '../errors.js';
import type { Connection } from './connection.js';
import { ping } from './judge.js';
import type { TrackedSocket } from './tracked-socket.js';

/** Design, sockets rule 2: the name left an address on which there are open sockets. */
export interface Parting {
  readonly name: string;
  readonly address: Address;
  /** Where the name points now, for messages. */
  readonly to: readonly Address[];
  readonly known: 'unknown' | 'dead';
  readonly clock: Clock;
  readonly pingBoundMillis: number;
  readonly closeIdle: (sockets: readonly TrackedSocket[], error: EipPoolError) => void;
}

/** Once this returns, none of the sockets can be leased again. */
export function partOf(sockets: readonly TrackedSocket[], parting: Parting): void {
  const idle: TrackedSocket[] = [];
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
  const witness = leased.length > 0 ? idle.find(({ connection }) => connection !== null) : undefined;
  const others = idle.filter((socket) => socket !== witness);
  parting.closeIdle(others, leftError(parting, 'nothing was running on it'));
  for (const lease of leased) drain(lease, parting);
  if (witness !== undefined) void examine(witness, leased, parting);
}

interface Leased {
  readonly socket: TrackedSocket;
  readonly connection: Connection;
}

function drain({ socket, connection }: Leased, parting: Parting): void {
  const { clock } = parting;
  // A deadline once given is never extended: a socket parts from its address only once.
  const timer = clock.set(() => {
    const millis = connection.drainMillis;
    socket.cut(leftError(parting, `its work did not end within ${millis} ms (failover.drainMillis)`));
  }, connection.drainMillis);
  socket.once('close', () => clock.clear(timer));
}

/** One idle connection tells whether the address still lives; if not, nobody waits for its leases to drain. */
async function examine(witness: TrackedSocket, leased: readonly Leased[], parting: Parting): Promise<void> {
  try {
    await ping(witness, parting.pingBoundMillis, parting.clock);
  } catch (error) {
    cutAll(leased, deadError(parting, `a ping on an idle connection failed: ${messageOf(error)}`));
  }
  parting.closeIdle([witness], leftError(parting, 'nothing was running on it'));
}

function leftError({ name, address, to }: Parting, why: string): EipPoolError {
  return new EipPoolError(
    'ADDRESS_LEFT',
    `connection to ${name} at ${address} was closed: the name moved to ${to.join(', ')}, and ${why}`,
  );
}

function deadError({ name, address, to }: Parting, why: string): EipPoolError {
  return new EipPoolError(
    'ADDRESS_DEAD',
    `connection to ${name} at ${address} was cut: ${why}; the name is at ${to.join(', ')}`,
  );
}

function cutAll(leased: readonly Leased[], error: Error): void {
  for (const { socket } of leased) if (socket.state.kind === 'leaving') socket.cut(error);
}
