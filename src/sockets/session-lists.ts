import type { Clock } from '../clock.js';
import { type Service, ServiceMap } from '../endpoint/address.js';
import type { Prober } from './connection.js';
import { deadline } from './deadline.js';
import { ProbeSocket } from './probe-socket.js';
import type { SessionList } from './sessions.js';

/** What a server said of its sessions. */
export interface Listed {
  readonly list: SessionList;
  /** Is it the server itself that we are connected to? Then the kernel knows of a lost connection what there is to know. */
  readonly direct: boolean;
}

/** A login that is not done by then is not waited for: it may be this side that is slow. */
const LOGIN_MILLIS = 10_000;
/** After a login that failed, for whatever reason. */
const RETRY_MILLIS = 30_000;
/** Several servers share the address: what one of them says of a session may be said of another one's. */
const SEVERAL_MILLIS = 600_000;

/** Which servers can be asked what their sessions do, and the question: one at a time to each. */
export class SessionLists {
  readonly #clock: Clock;
  readonly #notBefore: ServiceMap<number> = new ServiceMap();
  readonly #direct: ServiceMap<boolean> = new ServiceMap();
  readonly #server: ServiceMap<string> = new ServiceMap();
  readonly #underWay: ServiceMap<Promise<Listed | null>> = new ServiceMap();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A pooler's numbers are its own inventions, and a login that has just failed would fail again. */
  canAsk(service: Service, prober: Prober): boolean {
    const notBefore = this.#notBefore.get(service) ?? -Infinity;
    return prober.sessions !== undefined && this.#clock.now() >= notBefore && this.#underWay.get(service) === undefined;
  }

  isDirect(service: Service): boolean {
    return this.#direct.get(service) === true;
  }

  /** Never rejects: null where nothing could be learned. */
  async ask(service: Service, prober: Prober, ids: readonly number[]): Promise<Listed | null> {
    return await (this.#underWay.get(service) ??
      this.askOn(new ProbeSocket(service.address, true), service, prober, ids));
  }

  /** The same on a socket of the caller's. */
  askOn(socket: ProbeSocket, service: Service, prober: Prober, ids: readonly number[]): Promise<Listed | null> {
    const asked = this.#ask(socket, service, prober, ids).finally(() => {
      if (this.#underWay.get(service) === asked) this.#underWay.delete(service);
    });
    this.#underWay.set(service, asked);
    return asked;
  }

  async #ask(socket: ProbeSocket, service: Service, prober: Prober, ids: readonly number[]): Promise<Listed | null> {
    const callOff = deadline(this.#clock, LOGIN_MILLIS, () => socket.destroy());
    try {
      const list = await prober.sessions?.(socket, ids);
      if (list === undefined) return null;
      const server = this.#server.get(service) ?? list.server;
      this.#server.set(service, list.server);
      if (list.own === null) this.#notBefore.set(service, Infinity);
      if (list.server !== server) this.#notBefore.set(service, this.#clock.now() + SEVERAL_MILLIS);
      if (list.own === null || list.server !== server) return null;
      const direct = list.own.client === socket.localEnd;
      this.#direct.set(service, direct);
      return { list, direct };
    } catch {
      this.#notBefore.set(service, this.#clock.now() + RETRY_MILLIS);
      return null;
    } finally {
      callOff();
      socket.unref();
      // Its driver's goodbye, if it has said one, still leaves.
      socket.destroySoon();
    }
  }
}
