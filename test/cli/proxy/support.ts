import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../dist/esm/cli/main.js', import.meta.url));

/** A line that the proxy wrote. */
export interface Told {
  readonly event: string;
  readonly [key: string]: unknown;
}

const running: Set<ProxyProcess> = new Set();

/** `eip-pool proxy --json` as a process of its own. */
export class ProxyProcess {
  readonly told: Told[] = [];
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #lines: EventEmitter = new EventEmitter();
  /** Its exit status, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  error = '';

  private constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [script, 'proxy', ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.told.push(JSON.parse(line) as Told);
      this.#lines.emit('line');
    });
    this.#child.stderr.on('data', (data) => (this.error += String(data)));
    this.ended = once(this.#child, 'close').then(([status, signal]) => {
      running.delete(this);
      this.#lines.emit('line');
      return (status ?? signal) as number | string;
    });
    running.add(this);
  }

  /** Resolves when it listens at so many places. */
  static async start(args: readonly string[], places: number = 1): Promise<ProxyProcess> {
    const proxy = new ProxyProcess(args);
    await proxy.event('listening', places);
    return proxy;
  }

  /** One that may not come so far as to listen. */
  static run(args: readonly string[]): ProxyProcess {
    return new ProxyProcess(args);
  }

  /** The event of this name with this number, from 1, once it has been told. */
  async event(name: string, number: number = 1): Promise<Told> {
    for (;;) {
      const found = this.told.filter(({ event }) => event === name)[number - 1];
      if (found !== undefined) return found;
      if (!running.has(this)) throw new Error(`the proxy ended: ${JSON.stringify(this.told)} ${this.error}`);
      await once(this.#lines, 'line');
    }
  }

  /** The port at which it listens, on the place with this number. */
  port(number: number = 1): number {
    const { listen } = this.told.filter(({ event }) => event === 'listening')[number - 1]!;
    return Number(/:(\d+)$/.exec(String(listen))![1]);
  }

  get admin(): string {
    return `http://${String(this.told.find(({ event }) => event === 'admin')!['place'])}`;
  }

  /** The most memory that it has had, in bytes. */
  get peakMemory(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return 1_024 * Number(/VmHWM:\s+(\d+)/.exec(status)![1]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

export async function endProxies(): Promise<void> {
  const left = [...running];
  for (const proxy of left) proxy.signal('SIGKILL');
  await Promise.all(left.map(({ ended }) => ended));
}

/** A server of a test's own, and every connection that it has accepted. */
export class Backend {
  readonly accepted: net.Socket[] = [];
  readonly #server: net.Server;
  readonly #arrivals: EventEmitter = new EventEmitter();

  private constructor(onConnection: (socket: net.Socket) => void) {
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.accepted.push(socket);
      socket.on('error', () => {});
      onConnection(socket);
      this.#arrivals.emit('one');
    });
  }

  static async listen(
    onConnection: (socket: net.Socket) => void = () => {},
    port: number = 0,
    address: string = '127.0.0.1',
  ): Promise<Backend> {
    const backend = new Backend(onConnection);
    backend.#server.listen(port, address);
    await once(backend.#server, 'listening');
    return backend;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** The connection with this number, from 1, once it has been accepted. */
  async connection(number: number = 1): Promise<net.Socket> {
    while (this.accepted.length < number) await once(this.#arrivals, 'one');
    return this.accepted[number - 1]!;
  }

  async close(): Promise<void> {
    for (const socket of this.accepted) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A port of the loopback address at which nobody listens. */
export async function freePort(): Promise<number> {
  const backend = await Backend.listen();
  const { port } = backend;
  await backend.close();
  return port;
}

/** A client that goes on listening when the other side has ended. */
export async function connect(to: net.TcpNetConnectOpts | net.IpcNetConnectOpts): Promise<net.Socket> {
  const socket = net.connect({ allowHalfOpen: true, ...to });
  await once(socket, 'connect');
  return socket;
}

/** All that comes until the other side ends it; rejects with the error that breaks it. */
export async function textOf(socket: net.Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks).toString('latin1');
}

/** How a socket is broken: the code of its error. */
export async function breakOf(socket: net.Socket): Promise<unknown> {
  socket.resume();
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  return error.code;
}
