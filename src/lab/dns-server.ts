import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import packet, { type DecodedPacket, type Question } from 'dns-packet';
import type { DnsMode } from './dns-modes.js';
import { listen } from './loopback.js';
import { type Records, replyTo, type View } from './dns-replies.js';

/** One question that arrived. */
export interface DnsQuery {
  /** `performance.now()` */
  readonly at: number;
  readonly name: string;
  readonly type: string;
  readonly view: View;
  readonly transport: 'udp' | 'tcp';
}

export interface DnsServerOptions {
  readonly name: string;
  readonly publicName: string;
  readonly publicAddress: string;
  readonly ttlSeconds: number;
  readonly address: string;
  /** 0 for any. */
  readonly port: number;
  /** Clients that see the public view on whatever port they ask. */
  readonly publicClients: readonly string[];
}

/** An authoritative server for the lab's names, over UDP and TCP: the private view on one port, the public on another. */
export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #listeners: Listener[] = [];
  readonly #queries: DnsQuery[] = [];
  readonly #emitter: EventTarget = new EventTarget();
  #mode: DnsMode = { kind: 'normal' };
  #records: Records = { a: [], aaaa: [] };
  #turn = 0;

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  /** `address:port` of the private view, as `follow.servers` takes it. */
  get servers(): readonly string[] {
    return this.#serversOf('private');
  }

  get publicServers(): readonly string[] {
    return this.#serversOf('public');
  }

  /** Every question so far, oldest first. */
  get queries(): readonly DnsQuery[] {
    return this.#queries;
  }

  get mode(): DnsMode {
    return this.#mode;
  }

  setMode(mode: DnsMode): void {
    this.#mode = mode;
    this.#turn = 0;
  }

  /** What the name answers in the private view, from the next question on. */
  setAnswer(records: { readonly a?: readonly string[]; readonly aaaa?: readonly string[] }): void {
    this.#records = { a: records.a ?? [], aaaa: records.aaaa ?? [] };
  }

  /** Resolves when the next question has been dealt with. */
  async nextQuery(): Promise<DnsQuery> {
    await once(this.#emitter, 'query');
    return this.#queries.at(-1) as DnsQuery;
  }

  async start(): Promise<void> {
    const { port } = this.#options;
    for (const view of ['private', 'public'] as const) {
      this.#listeners.push(await this.#listen(view, port === 0 || view === 'private' ? port : port + 1));
    }
  }

  /** The server is gone: its ports are closed. */
  async pause(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  /** Back at the same ports. */
  async resume(): Promise<void> {
    const before = this.#listeners.splice(0);
    for (const { view, port } of before) this.#listeners.push(await this.#listen(view, port));
  }

  async close(): Promise<void> {
    await this.pause();
  }

  #serversOf(view: View): string[] {
    return this.#listeners.flatMap((own) => (own.view === view ? [`${this.#options.address}:${own.port}`] : []));
  }

  async #listen(view: View, port: number): Promise<Listener> {
    const { address } = this.#options;
    const udp = dgram.createSocket('udp4');
    const tcp = net.createServer((socket) => this.#serveTcp(socket, view));
    const bound = await listen(tcp, address, port);
    await new Promise<void>((resolve, reject) => udp.once('error', reject).bind(bound, address, resolve));
    udp.on('message', (message, from) => {
      const replies = this.#answer(message, view, 'udp', from.address);
      this.#deliver(() => {
        for (const reply of replies) udp.send(reply, from.port, from.address, () => {});
      });
    });
    udp.on('error', () => {});
    const sockets = new Set<net.Socket>();
    tcp.on('connection', (socket) => sockets.add(socket.once('close', () => sockets.delete(socket))));
    const close = async (): Promise<void> => {
      for (const socket of sockets) socket.destroy();
      if (tcp.listening) await new Promise((resolve) => tcp.close(resolve));
      await new Promise<void>((resolve) => {
        try {
          udp.close(() => resolve());
        } catch {
          resolve();
        }
      });
    };
    return { view, port: bound, close };
  }

  #serveTcp(socket: net.Socket, view: View): void {
    let buffered = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const end = 2 + buffered.readUInt16BE(0);
        const replies = this.#answer(buffered.subarray(2, end), view, 'tcp', socket.remoteAddress ?? '');
        buffered = buffered.subarray(end);
        this.#deliver(() => {
          for (const reply of replies) {
            const length = Buffer.alloc(2);
            length.writeUInt16BE(reply.length);
            if (socket.writable) socket.write(Buffer.concat([length, reply]));
          }
        });
      }
    });
  }

  #deliver(send: () => void): void {
    if (this.#mode.kind === 'delay') setTimeout(send, this.#mode.millis).unref();
    else send();
  }

  #answer(message: Buffer, view: View, transport: 'udp' | 'tcp', client: string): readonly Buffer[] {
    let query: DecodedPacket;
    try {
      query = packet.decode(message);
    } catch {
      return [];
    }
    const [question] = query.questions ?? [];
    if (question === undefined) return [];
    const seen = this.#options.publicClients.includes(client) ? 'public' : view;
    this.#queries.push({ at: performance.now(), name: question.name, type: question.type, view: seen, transport });
    const replies = replyTo({
      query: message,
      id: query.id ?? 0,
      question,
      view: seen,
      transport,
      mode: this.#mode,
      records: this.#recordsFor(question),
      names: this.#options,
    });
    setImmediate(() => this.#emitter.dispatchEvent(new Event('query')));
    return replies;
  }

  #recordsFor(question: Question): Records {
    if (this.#mode.kind !== 'flicker' || (question.type !== 'A' && question.type !== 'AAAA')) return this.#records;
    const { addresses } = this.#mode;
    const index = question.type === 'A' ? this.#turn++ : this.#turn;
    return { a: addresses[index % addresses.length] ?? [], aaaa: [] };
  }
}

interface Listener {
  readonly view: View;
  readonly port: number;
  close(): Promise<void>;
}
