import { Socket } from 'node:net';
import { type Address, canonicalAddress } from '../endpoint/address.js';
import { isOver, type Question } from './evidence.js';

/** Those that may carry a password. */
const secret: Set<ProbeSocket> = new Set();

/** The name has left the address: no password may be sent there any more, so nothing is found out either. */
export function abandonProbes(address: Address): void {
  for (const socket of secret) if (socket.dialled === address) socket.destroy();
}

/**
 * Dials one address whatever its driver asks for, outside the gate, and belongs to no set. What becomes of it is the
 * evidence; what a driver makes of it is not.
 */
export class ProbeSocket extends Socket {
  readonly dialled: Address;
  /** This end, `address:port`; null before it is connected. It outlives the connection. */
  localEnd: string | null = null;
  #question: Question = { kind: 'dialling' };

  /** @param secrets whether a driver may send a password on it */
  constructor(address: Address, secrets: boolean) {
    super();
    this.dialled = address;
    if (secrets) secret.add(this);
    this.once('connect', () => this.#onConnect());
    this.once('data', () => this.#become({ kind: 'answered' }));
    this.once('end', () => this.#become({ kind: 'ended', error: null }));
    this.on('error', (error: Error) => this.#become({ kind: 'ended', error }));
    this.once('close', () => {
      secret.delete(this);
      this.#become({ kind: 'given-up' });
    });
  }

  /** How far it has come; what is final stays. Each change is an event, `'question'`. */
  get question(): Question {
    return this.#question;
  }

  /** As a driver calls it: the port, and the name of the host, which is ignored. */
  override connect(...args: unknown[]): this {
    return super.connect({ host: this.dialled, port: Number(args[0]), autoSelectFamily: false });
  }

  /** An error that somebody here destroys it with is no word of the other side. */
  override destroy(error?: Error): this {
    if (!isOfTheSocket(error)) this.#become({ kind: 'given-up' });
    return super.destroy(error);
  }

  #onConnect(): void {
    this.localEnd = `${canonicalAddress(this.localAddress)}:${this.localPort}`;
    this.#become({ kind: 'reached' });
  }

  #become(question: Question): void {
    if (isOver(this.#question)) return;
    this.#question = question;
    this.emit('question');
  }
}

/** Node destroys a socket with what the system said, which names the call. */
function isOfTheSocket(error: Error | undefined): boolean {
  return error !== undefined && 'syscall' in error;
}
