import { isIPv4, isIPv6 } from 'node:net';
import { type Cidr, Ranges } from '../endpoint/address.js';
import { systemClock, type Timer } from '../clock.js';
import { EipPoolError } from '../errors.js';
import {
  type DnsAddresses,
  type DnsMode,
  type DnsRecord,
  type DnsView,
  readAddresses,
  readMode,
  type Zone,
} from './dns-mode.js';
import { DnsPort, type Received } from './dns-port.js';
import { noQuery, type Reply, replyTo } from './dns-reply.js';
import type { Wire, WireQuery } from './wire.js';

/** One query, in the order in which the replies left. */
export interface DnsQuery {
  /** `performance.now()` when it arrived. */
  readonly at: number;
  readonly type: string;
  readonly name: string;
  readonly view: DnsView;
  readonly transport: 'udp' | 'tcp';
  readonly client: string;
  /** The addresses that the reply named; none for an error or no reply. */
  readonly addresses: readonly string[];
}

export interface DnsServerOptions {
  readonly wire: Wire;
  /** The name whose addresses {@link DnsServer.setAnswer} sets. */
  readonly target: string;
  readonly ttlSeconds: number;
  readonly privateZone: Zone;
  readonly publicZone: Zone;
  readonly listen: Readonly<Record<DnsView, { readonly address: string; readonly port: number }>>;
  /** Clients that see the public view on whichever port they ask. */
  readonly publicClients: readonly Cidr[];
}

interface Waiter {
  readonly type: string | undefined;
  readonly resolve: (query: DnsQuery) => void;
  readonly reject: (error: Error) => void;
}

/** An authoritative DNS server with a private and a public view, and the faults that resolvers meet. UDP and TCP. */
export class DnsServer {
  readonly #wire: Wire;
  readonly #target: string;
  readonly #ttlSeconds: number;
  readonly #zones: Record<DnsView, Map<string, readonly DnsRecord[]>>;
  readonly #ports: Record<DnsView, DnsPort>;
  readonly #publicClients: Ranges;
  readonly #queries: DnsQuery[] = [];
  readonly #late: Set<Timer> = new Set();
  #waiters: Waiter[] = [];
  #mode: DnsMode = { kind: 'normal' };
  #turns: { A: number; AAAA: number } = { A: 0, AAAA: 0 };
  #flickerEnd: Timer | undefined;
  #closed: boolean = false;

  private constructor(options: DnsServerOptions) {
    this.#wire = options.wire;
    this.#target = options.target.toLowerCase();
    this.#ttlSeconds = options.ttlSeconds;
    this.#zones = { private: new Map(options.privateZone), public: new Map(options.publicZone) };
    this.#publicClients = new Ranges(options.publicClients);
    const open = (view: DnsView): DnsPort => {
      const { address, port } = options.listen[view];
      return new DnsPort(address, port, (received) => this.#receive(received, view));
    };
    this.#ports = { private: open('private'), public: open('public') };
  }

  /** Internal: the lab starts it. */
  static async start(options: DnsServerOptions): Promise<DnsServer> {
    const server = new DnsServer(options);
    try {
      await server.resume();
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  /** `address:port` of the private view, as `follow`'s `servers` takes it. */
  get servers(): readonly string[] {
    return [`${this.#ports.private.address}:${this.#ports.private.port}`];
  }

  /** `address:port` of the public view. */
  get publicServers(): readonly string[] {
    return [`${this.#ports.public.address}:${this.#ports.public.port}`];
  }

  /** Every query so far, oldest first, each recorded once its reply was sent, or dropped. */
  get queries(): readonly DnsQuery[] {
    return this.#queries;
  }

  get mode(): DnsMode {
    return this.#mode;
  }

  /** From the next reply on. Replies that a `delay` still holds go out as they are. */
  setMode(mode: DnsMode): void {
    this.#mode = readMode(mode);
    this.#turns = { A: 0, AAAA: 0 };
    systemClock.clear(this.#flickerEnd);
    this.#flickerEnd = undefined;
  }

  /**
   * Alternates between two addresses, the old one first, as a resolver farm does after a move.
   * @param durationMillis afterwards the mode is `normal` again. Without it the flicker goes on until {@link setMode}.
   */
  flicker(oldAddress: string, newAddress: string, durationMillis?: number): void {
    this.setMode({ kind: 'flicker', addresses: [[oldAddress], [newAddress]] });
    if (durationMillis === undefined) return;
    this.#flickerEnd = systemClock.set(() => this.setMode({ kind: 'normal' }), durationMillis);
  }

  /** What the private view answers for the name, from the next reply on. An empty family has no records. */
  setAnswer({ a = [], aaaa = [] }: DnsAddresses): void {
    const addresses = [...readAddresses(a, 'answer.a', 4), ...readAddresses(aaaa, 'answer.aaaa', 6)];
    const records = addresses.map((data): DnsRecord => {
      return { type: isIPv6(data) ? 'AAAA' : 'A', data, ttlSeconds: this.#ttlSeconds };
    });
    this.#zones.private.set(this.#target, records);
  }

  /** What {@link setAnswer} or a move set last. */
  get answer(): { readonly a: readonly string[]; readonly aaaa: readonly string[] } {
    const data = (this.#zones.private.get(this.#target) ?? []).map((record) => record.data);
    return { a: data.filter(isIPv4), aaaa: data.filter(isIPv6) };
  }

  /** Sets all records of a name in one view; an empty list removes the name. */
  setRecords(name: string, records: readonly DnsRecord[], view: DnsView = 'private'): void {
    if (records.length === 0) this.#zones[view].delete(name.toLowerCase());
    else this.#zones[view].set(name.toLowerCase(), [...records]);
  }

  /** Resolves with the next query whose reply is out (in mode `drop`: that got none). */
  nextQuery(type?: 'A' | 'AAAA' | 'CNAME'): Promise<DnsQuery> {
    const next = new Promise<DnsQuery>((resolve, reject) => {
      if (this.#closed) reject(closedError());
      else this.#waiters.push({ type, resolve, reject });
    });
    // Closing the lab under a waiting test must not end its process.
    next.catch(() => undefined);
    return next;
  }

  /** A dead server: both ports closed, so that a query meets ICMP "port unreachable" or a refused connection. */
  async pause(): Promise<void> {
    for (const timer of this.#late) systemClock.clear(timer);
    this.#late.clear();
    await Promise.all([this.#ports.private.close(), this.#ports.public.close()]);
  }

  /** Opens the same ports again. */
  async resume(): Promise<void> {
    if (this.#closed) throw closedError();
    await Promise.all([this.#ports.private.open(), this.#ports.public.open()]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    systemClock.clear(this.#flickerEnd);
    for (const waiter of this.#waiters) waiter.reject(closedError());
    this.#waiters = [];
    await this.pause();
  }

  #receive(received: Received, portView: DnsView): void {
    const at = systemClock.now();
    const view = this.#publicClients.has(received.client) ? 'public' : portView;
    const packet = this.#decode(received.bytes);
    const { type, name } = packet?.questions[0] ?? { type: '', name: '' };
    const reply = packet === undefined ? noQuery(received.bytes) : this.#reply(packet, received, view);
    const { transport, client } = received;
    this.#send(received, reply, { at, type, name, view, transport, client, addresses: reply.addresses });
  }

  #decode(bytes: Buffer): WireQuery | undefined {
    try {
      return this.#wire.decode(bytes);
    } catch {
      return undefined;
    }
  }

  #reply(packet: WireQuery, { bytes, transport }: Received, view: DnsView): Reply {
    const shown = this.#mode.kind === 'public' ? 'public' : view;
    const override = shown === 'private' ? this.#nextFlicker(packet.questions[0]?.type) : undefined;
    const context = { wire: this.#wire, mode: this.#mode, zone: this.#zones[shown], transport, override };
    return replyTo(packet, bytes, context);
  }

  #nextFlicker(type: string | undefined): readonly string[] | undefined {
    if (this.#mode.kind !== 'flicker' || (type !== 'A' && type !== 'AAAA')) return undefined;
    const { addresses } = this.#mode;
    return addresses[this.#turns[type]++ % addresses.length];
  }

  #send(received: Received, reply: Reply, query: DnsQuery): void {
    const send = (): void => {
      void received.send(reply.messages).then(() => this.#record(query));
    };
    if (this.#mode.kind !== 'delay') return send();
    const timer = systemClock.set(() => {
      this.#late.delete(timer);
      send();
    }, this.#mode.millis);
    this.#late.add(timer);
  }

  #record(query: DnsQuery): void {
    this.#queries.push(query);
    const answered = this.#waiters.filter((waiter) => waiter.type === undefined || waiter.type === query.type);
    this.#waiters = this.#waiters.filter((waiter) => !answered.includes(waiter));
    for (const waiter of answered) waiter.resolve(query);
  }
}

function closedError(): EipPoolError {
  return new EipPoolError('LAB_UNAVAILABLE', 'the lab was closed');
}
