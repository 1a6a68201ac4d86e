import type { Socket } from 'node:net';
import type { Address } from '../endpoint/address.js';
import type { Answer } from '../endpoint/answer.js';
import { answerLookup, type LookupFunction } from '../endpoint/lookup.js';
import { networkRefusal, readOnlyError } from '../failover/refusal.js';
import { invalidOption } from '../options.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import type { Target } from './options.js';
import { wasClosedByItsOwner } from './resource.js';

/** One run of the factory's `create`, and the sockets that it made on the way. */
export class Attempt {
  readonly target: Target;
  readonly #endpoint: Endpoint;
  readonly #port: number;
  readonly #controller: AbortController = new AbortController();
  readonly #sockets: TrackedSocket[] = [];
  #over = false;

  constructor(endpoint: Endpoint, port: number, address: Address) {
    this.#endpoint = endpoint;
    this.#port = port;
    this.target = {
      address,
      port,
      host: endpoint.name,
      connect: () => this.#connect(),
      lookup: this.#lookup(address),
      signal: this.#controller.signal,
    };
  }

  /** The name has left its address. */
  abort(): void {
    this.#controller.abort();
  }

  /** What the resource lives on: not what the factory has closed on the way. Null if any other is lost already. */
  sockets(): readonly TrackedSocket[] | null {
    const kept = this.#sockets.filter((socket) => !wasClosedByItsOwner(socket));
    return kept.some(({ destroyed }) => destroyed) ? null : kept;
  }

  made(): void {
    this.#over = true;
    for (const socket of this.#sockets) socket.settle('usable');
  }

  failed(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const refusal = networkRefusal(error);
    const condition = refusal?.kind === 'not-ready' ? refusal.condition : null;
    for (const socket of this.#sockets) {
      if (condition === null) socket.settle('answered');
      else socket.settle('unusable', condition, error);
    }
    // What the factory reached in another way, nobody else tells of.
    if (this.#sockets.length === 0 && condition !== null) this.#endpoint.report(this.target, condition, error);
  }

  /** The server takes no writes, and only one that does is of use. */
  readOnly(): Error {
    this.#over = true;
    const error = readOnlyError(this.#endpoint.name, this.target.address);
    for (const socket of this.#sockets) socket.settle('unusable', 'read-only', error);
    if (this.#sockets.length === 0) this.#endpoint.report(this.target, 'read-only', error);
    return error;
  }

  /**
   * Until `create` is done, all its sockets are one attempt for the gate, which has the next one wait: else all log in
   * at the same time, or one that makes two would wait for itself.
   */
  #connect(): Socket {
    if (this.#over) return this.#endpoint.connect(this.#port);
    if (this.#port === 0) throw invalidOption('port', 'a port from 1 to 65535', this.#port);
    const socket = this.#endpoint.socket({ persist: () => false, party: this });
    socket.expectHandshake();
    this.#sockets.push(socket);
    return socket.connect(this.#port);
  }

  /** Of several addresses the one that the resource will be known by. */
  #lookup(address: Address): LookupFunction {
    const { name, refusal } = this.#endpoint;
    const ready = async (): Promise<Answer> => ({ ...(await this.#endpoint.known()), addresses: [address] });
    return (hostname, options, callback) => answerLookup({ name, refusal, ready }, hostname, options, callback);
  }
}
