import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { DialledSockets, type OtherEnd } from './dialled.js';
import type { VirtualTime } from './virtual-time.js';
import { aWhile, turns, withinReal } from './virtual-time.js';

/** What a connection's bytes mean, as far as it matters who has the next word. */
export interface Protocol {
  fromClient(bytes: Buffer): void;
  fromServer(bytes: Buffer): void;
  /** The login is not done. */
  readonly greeting: boolean;
  /** The server has to say something before the client can go on. */
  readonly owed: boolean;
  /** The client said goodbye. */
  readonly over: boolean;
}

/** Which of several connections goes on first. Logins go on in the order of the connections, whatever the rule is. */
export interface Turn {
  readonly first: 'logins' | 'statements';
  readonly among: 'oldest' | 'newest';
}

/** So many turns of the loop without a byte: whatever could be said has been said. */
const STILL_TURNS = 3;
/** A statement of a program that has to wait that long waits for what another one of it has locked. */
const UNIT_MILLIS = 10_000;
/** In a statement: its reply comes so many milliseconds later. */
const HELD = /\/\* held (\d+) \*\//;

/**
 * The way between pools and one real server, on which only one thing happens at a time: one login, or one statement and
 * its reply, and then nothing until all that follows from it has happened. So a program has one course of events, however
 * fast the server is.
 */
export class Wire {
  readonly #time: VirtualTime;
  readonly #makeProtocol: () => Protocol;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #lines: Set<Line> = new Set();
  /** Closed here, while the client's end may not know it yet. */
  #closing: Line[] = [];
  #dialled: DialledSockets | null = null;
  #turn: Turn = { first: 'statements', among: 'oldest' };
  #count = 0;
  #activity = 0;
  /** Does something go on that is not seen here, such as a question to a DNS server? */
  isBusy: () => boolean = () => false;
  /** How much the program has seen: where it grows, something goes on. */
  seen: () => number = () => 0;
  readonly #note = (): void => void this.#activity++;

  constructor(time: VirtualTime, target: { readonly host: string; readonly port: number }, protocol: () => Protocol) {
    this.#time = time;
    this.#target = target;
    this.#makeProtocol = protocol;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#accept(client));
  }

  async listen(host: string): Promise<number> {
    this.#server.listen({ host, port: 0 });
    await once(this.#server, 'listening');
    const { port } = this.#server.address() as { port: number };
    this.#dialled = new DialledSockets(port);
    return port;
  }

  /** A new program: its connections are counted from 1. */
  begin(turn: Turn): void {
    this.#turn = turn;
    this.#count = 0;
    this.isBusy = () => false;
    this.seen = () => 0;
  }

  /** How many connections of clients there are. */
  get open(): number {
    return this.#lines.size;
  }

  /** All that can happen without a new cause has happened. */
  async quiet(): Promise<void> {
    while (await this.step());
  }

  /** One login, or one statement and its reply; false if there is none to wait for. */
  async step(): Promise<boolean> {
    await this.#still();
    const line = this.#next();
    if (line === undefined) return false;
    await withinReal(line.goOn(), UNIT_MILLIS, () => `connection ${line.number}: ${line.said}`);
    return true;
  }

  /** Ends what a program has left open. */
  async clear(): Promise<void> {
    for (const line of this.#lines) line.close();
    await this.#still();
    this.#closing = [];
  }

  async close(): Promise<void> {
    await this.clear();
    this.#dialled?.restore();
    this.#server.close();
  }

  #accept(client: Socket): void {
    const line: Line = new Line({
      client,
      number: ++this.#count,
      protocol: this.#makeProtocol(),
      time: this.#time,
      dial: () => connect({ ...this.#target, noDelay: true, allowHalfOpen: true }),
      note: this.#note,
      closed: () => {
        this.#lines.delete(line);
        this.#closing.push(line);
      },
    });
    this.#lines.add(line);
    this.#note();
  }

  #next(): Line | undefined {
    const lines = [...this.#lines];
    const leaving = lines.find((line) => line.leaves);
    if (leaving !== undefined) return leaving;
    const waiting = lines.filter((line) => line.waits);
    const logins = waiting.filter((line) => line.greeting);
    const statements = waiting.filter((line) => !line.greeting);
    const { first, among } = this.#turn;
    const statement = among === 'oldest' ? statements[0] : statements.at(-1);
    return first === 'logins' ? (logins[0] ?? statement) : (statement ?? logins[0]);
  }

  get #progress(): number {
    return this.#activity + this.seen();
  }

  async #arrival(): Promise<void> {
    for (; this.isBusy() || this.#dialled?.settled(this.#ends) === false; this.#note()) await aWhile();
  }

  get #ends(): Line[] {
    return [...this.#lines, ...this.#closing];
  }

  get #unarrived(): string {
    return this.#dialled?.unsettled(this.#ends) ?? '';
  }

  async #still(): Promise<void> {
    for (let [before, now] = [-1, this.#progress]; before !== now; now = this.#progress) {
      before = now;
      await turns(STILL_TURNS);
      await withinReal(this.#arrival(), UNIT_MILLIS, () => `what is on its way (${this.#unarrived})`);
    }
  }
}

interface LineParts {
  readonly client: Socket;
  readonly number: number;
  readonly protocol: Protocol;
  readonly time: VirtualTime;
  readonly dial: () => Socket;
  readonly note: () => void;
  readonly closed: () => void;
}

/** One connection of a client's, and the server's end of it. */
class Line implements OtherEnd {
  readonly number: number;
  readonly port: number;
  readonly #parts: LineParts;
  #server: Socket | null = null;
  /** What the server is not told before it is this connection's turn. */
  #unsent: Buffer[] = [];
  #going: (() => void) | null = null;
  #heldUntil = 0;
  #closed = false;
  said = 'nothing said';

  constructor(parts: LineParts) {
    this.#parts = parts;
    this.number = parts.number;
    const { client } = parts;
    this.port = client.remotePort ?? 0;
    client.on('data', (bytes) => this.#fromClient(bytes));
    client.on('end', () => this.leaves || this.close());
    client.on('error', () => this.close());
    client.on('close', () => this.close());
  }

  get bytesRead(): number {
    return this.#parts.client.bytesRead;
  }

  get bytesWritten(): number {
    return this.#parts.client.bytesWritten;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get greeting(): boolean {
    return this.#parts.protocol.greeting;
  }

  /** The client has said goodbye, and waits for the server to close. */
  get leaves(): boolean {
    return !this.#closed && this.#parts.protocol.over;
  }

  get waits(): boolean {
    return !this.#closed && this.#parts.protocol.owed && this.#heldUntil <= this.#parts.time.now;
  }

  /** Resolves when the server owes nothing any more, or when the connection has ended. */
  async goOn(): Promise<void> {
    if (this.leaves) return this.close();
    const gone = new Promise<void>((resolve) => {
      this.#going = resolve;
    });
    this.#dial();
    this.#send();
    await gone;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { client, note, closed } = this.#parts;
    this.#send();
    this.#server?.end();
    client.end();
    note();
    closed();
    this.#stop();
  }

  #dial(): void {
    if (this.#server !== null) return;
    const server = this.#parts.dial();
    this.#server = server;
    server.on('data', (bytes) => this.#fromServer(bytes));
    server.on('end', () => this.close());
    server.on('error', () => this.close());
    server.on('close', () => this.close());
  }

  #send(): void {
    for (const bytes of this.#unsent.splice(0)) this.#server?.write(bytes);
  }

  #fromClient(bytes: Buffer): void {
    const { protocol, note, time } = this.#parts;
    note();
    protocol.fromClient(bytes);
    this.#unsent.push(bytes);
    const text = bytes.toString('latin1');
    const held = HELD.exec(text);
    if (held !== null) {
      this.#heldUntil = time.now + Number(held[1]);
      time.at(note, Number(held[1]));
    }
    if (!protocol.greeting) this.said = text.replaceAll(/[^ -~]+/g, ' ').trim();
    if (this.#going !== null) this.#send();
  }

  #fromServer(bytes: Buffer): void {
    const { protocol, note, client } = this.#parts;
    note();
    protocol.fromServer(bytes);
    if (!this.#closed) client.write(bytes);
    if (!protocol.owed) this.#stop();
  }

  #stop(): void {
    this.#going?.();
    this.#going = null;
  }
}
