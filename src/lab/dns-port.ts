import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

export interface Received {
  readonly bytes: Buffer;
  readonly client: string;
  readonly transport: 'udp' | 'tcp';
  /** Resolves when the messages are out, or can no longer get out. Never rejects. */
  readonly send: (messages: readonly Buffer[]) => Promise<void>;
}

type Handler = (received: Received) => void;

/** A free port may be free for UDP only; so many are tried. */
const ATTEMPTS: number = 20;

/** UDP and TCP on one address and port. */
export class DnsPort {
  readonly address: string;
  readonly #handler: Handler;
  readonly #clients: Set<Socket> = new Set();
  #port: number;
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;

  /** Port 0 takes a free one at the first {@link open} and keeps it. */
  constructor(address: string, port: number, handler: Handler) {
    this.address = address;
    this.#port = port;
    this.#handler = handler;
  }

  get port(): number {
    return this.#port;
  }

  async open(): Promise<void> {
    if (this.#udp !== undefined) return;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#openBoth();
        return;
      } catch (error) {
        await this.close();
        if (this.#port !== 0 || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async close(): Promise<void> {
    const [udp, tcp] = [this.#udp, this.#tcp];
    this.#udp = undefined;
    this.#tcp = undefined;
    for (const client of this.#clients) client.destroy();
    const closed: Promise<unknown>[] = [];
    if (udp !== undefined) closed.push(once(udp.close(), 'close'));
    if (tcp?.listening === true) closed.push(once(tcp.close(), 'close'));
    await Promise.all(closed);
  }

  async #openBoth(): Promise<void> {
    const udp = createSocket('udp4');
    this.#udp = udp;
    udp.on('message', (bytes, from) => {
      const send = (messages: readonly Buffer[]) => sendDatagrams(udp, messages, from.port, from.address);
      this.#handler({ bytes, client: from.address, transport: 'udp', send });
    });
    udp.bind({ port: this.#port, address: this.address });
    await once(udp, 'listening');
    udp.on('error', () => undefined);
    const tcp = createServer((client) => this.#serve(client));
    this.#tcp = tcp;
    tcp.listen(udp.address().port, this.address);
    await once(tcp, 'listening');
    tcp.on('error', () => undefined);
    this.#port = udp.address().port;
  }

  #serve(client: Socket): void {
    this.#clients.add(client);
    client.on('close', () => this.#clients.delete(client));
    client.on('error', () => undefined);
    let pending = Buffer.alloc(0);
    client.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        const bytes = pending.subarray(2, end);
        pending = pending.subarray(end);
        const send = (messages: readonly Buffer[]) => sendFrames(client, messages);
        this.#handler({ bytes, client: client.remoteAddress ?? '', transport: 'tcp', send });
      }
    });
  }
}

async function sendDatagrams(udp: UdpSocket, messages: readonly Buffer[], port: number, host: string): Promise<void> {
  for (const message of messages) {
    await new Promise<void>((resolve) => {
      try {
        udp.send(message, port, host, () => resolve());
      } catch {
        resolve(); // the server was closed or paused meanwhile
      }
    });
  }
}

async function sendFrames(client: Socket, messages: readonly Buffer[]): Promise<void> {
  for (const message of messages) {
    if (client.destroyed) return;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length & 0xffff);
    await new Promise<void>((resolve) => client.write(Buffer.concat([length, message]), () => resolve()));
  }
}
