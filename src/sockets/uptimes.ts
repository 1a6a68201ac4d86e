import type { Clock } from '../clock.js';
import { type Service, ServiceMap } from '../endpoint/address.js';
import type { Prober } from './connection.js';
import { deadline } from './deadline.js';
import { ProbeSocket } from './probe-socket.js';
import { type LostSession, type Succession, successionOf, type Uptime } from './uptime.js';

export interface UptimesHost {
  readonly clock: Clock;
  prober(service: Service): Prober | undefined;
  /** It has said nothing: finds out whether it is dead, which is remembered. */
  examine(service: Service): Promise<void>;
}

/** What a server said of itself, null for nothing, and when it was asked. */
interface Asked {
  readonly askedAt: number;
  readonly said: Promise<Uptime | 'absent' | null>;
}

/** Asks servers whether they are those of sessions that were lost: one question at a time to each, however many were. */
export class Uptimes {
  readonly #host: UptimesHost;
  readonly #underWay: ServiceMap<Asked> = new ServiceMap();

  constructor(host: UptimesHost) {
    this.#host = host;
  }

  /** `no` where nobody can tell. Never rejects. */
  async successionOf(lost: LostSession): Promise<Succession> {
    const { askedAt, said } = this.#ask(lost.service, lost.lostAt);
    const uptime = await said;
    if (uptime === 'absent') return 'yes';
    return uptime === null ? 'no' : successionOf(uptime, lost, askedAt);
  }

  /** What was asked before a session was lost says nothing of that. */
  #ask(service: Service, notBefore: number): Asked {
    const underWay = this.#underWay.get(service);
    if (underWay !== undefined && underWay.askedAt >= notBefore) return underWay;
    const forget = (): void => {
      if (this.#underWay.get(service) === asked) this.#underWay.delete(service);
    };
    const asked: Asked = { askedAt: this.#host.clock.now(), said: this.#question(service).finally(forget) };
    this.#underWay.set(service, asked);
    return asked;
  }

  async #question(service: Service): Promise<Uptime | 'absent' | null> {
    const prober = this.#host.prober(service);
    if (prober?.uptime === undefined) return null;
    const socket = new ProbeSocket(service.address, true);
    let silent = false;
    const callOff = deadline(this.#host.clock, prober.timeoutMillis, () => {
      silent = true;
      socket.destroy();
    });
    try {
      return await prober.uptime(socket);
    } catch {
      if (silent) await this.#host.examine(service);
      return null;
    } finally {
      callOff();
    }
  }
}
