import { Socket } from 'node:net';

type Dial = Socket['connect'];

/** A socket of this process's, on its way to the wire or connected to it. */
interface Dialled {
  readonly socket: Socket;
  connecting: boolean;
  /** Its own port, by which the wire knows it; 0 before it is connected. */
  port: number;
}

/** The wire's end of a connection. */
export interface OtherEnd {
  /** The port of the client's end. */
  readonly port: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly closed: boolean;
  /** The client has said goodbye, and nobody has answered yet. */
  readonly leaves: boolean;
}

/**
 * The sockets of this process that were connected to one port. On a busy machine what one end has sent may take its time
 * to the other, also within one process; whether it has arrived, only both ends together can tell.
 */
export class DialledSockets {
  readonly #port: number;
  readonly #original: Dial = Socket.prototype.connect;
  readonly #all: Set<Dialled> = new Set();

  constructor(port: number) {
    this.#port = port;
    const [original, seen] = [this.#original, (socket: Socket) => this.#seen(socket)];
    const isOurs = (args: unknown[]): boolean => portIn(args) === this.#port;
    Socket.prototype.connect = function connect(this: Socket, ...args: unknown[]): Socket {
      if (isOurs(args)) seen(this);
      return Reflect.apply(original, this, args) as Socket;
    };
  }

  /** Has every byte, every connection and every end arrived at its other end? */
  settled(others: readonly OtherEnd[]): boolean {
    return [...this.#all].every((one) => this.#hasArrived(one, others));
  }

  /** What has not arrived, for a message. */
  unsettled(others: readonly OtherEnd[]): string {
    return [...this.#all]
      .filter((one) => !this.#hasArrived(one, others))
      .map(({ socket, connecting, port }) => {
        const other = others.find((one) => one.port === port);
        const ends = other === undefined ? 'no other end' : `${other.bytesRead} read, ${other.bytesWritten} written`;
        return (
          `port ${port}: ${connecting ? 'connecting, ' : ''}${socket.destroyed ? 'destroyed, ' : ''}` +
          `${socket.bytesWritten} written, ${socket.bytesRead} read; there ${ends}${other?.closed === true ? ', closed' : ''}`
        );
      })
      .join('; ');
  }

  restore(): void {
    Socket.prototype.connect = this.#original;
  }

  #hasArrived(one: Dialled, others: readonly OtherEnd[]): boolean {
    if (one.connecting) return false;
    const other = others.find(({ port }) => port === one.port);
    const { socket } = one;
    if (socket.destroyed) {
      const gone = one.port === 0 || other === undefined || other.closed || other.leaves;
      if (gone) this.#all.delete(one);
      return gone;
    }
    if (other === undefined) return false;
    if (other.closed) return socket.readableEnded;
    return socket.bytesWritten === other.bytesRead && other.bytesWritten === socket.bytesRead;
  }

  #seen(socket: Socket): void {
    const one: Dialled = { socket, connecting: true, port: 0 };
    this.#all.add(one);
    socket.once('connect', () => {
      one.connecting = false;
      one.port = socket.localPort ?? 0;
    });
    socket.once('close', () => {
      one.connecting = false;
    });
  }
}

/** As net reads them: a port, or an object that has one; net itself calls with what it has read already, in an array. */
function portIn([first]: readonly unknown[]): number {
  const given: unknown = Array.isArray(first) ? (first as unknown[])[0] : first;
  return Number(typeof given === 'object' && given !== null ? (given as { port?: unknown }).port : given);
}
