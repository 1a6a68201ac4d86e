import { type Address, type Service, ServiceMap } from './address.js';
import type { Condition } from './adopt.js';

/** What nobody has met again for this long counts no more where another port says otherwise. */
const NEWS_LASTS_MILLIS = 30_000;

/** From the best to the worst. */
const ORDER: readonly Condition[] = ['usable', 'read-only', 'starting', 'refusing', 'dead'];

/** What is known of the services at the present addresses. That one port answers says nothing of another one. */
export class Conditions {
  readonly #conditions: ServiceMap<{ readonly condition: Condition; readonly at: number }> = new ServiceMap();
  /** The ports on which something failed and none of the addresses has been heard since, with the last failure's time. */
  readonly #troubles: Map<number, number> = new Map();
  /** When a service was found last without the server that had been there. */
  readonly #absences: ServiceMap<number> = new ServiceMap();
  /** Where something was heard since the name points there. */
  readonly #worked: Set<Address> = new Set();

  /** Somebody connected, or tried to, which may have failed with this cause. */
  note(service: Service, condition: Condition, now: number, cause?: unknown): void {
    this.#conditions.set(service, { condition, at: now });
    if (isAbsence(condition, cause)) this.#absences.set(service, now);
    if (condition === 'usable') this.#works(service);
    else this.#troubles.set(service.port, now);
  }

  /** A connection ended unasked, or was not answered. */
  doubt({ port }: Service, now: number): void {
    this.#troubles.set(port, now);
  }

  /** It said something, as a server that takes no writes does too. */
  heard(service: Service, now: number): void {
    const condition = this.#conditions.get(service)?.condition === 'read-only' ? 'read-only' : 'usable';
    this.#conditions.set(service, { condition, at: now });
    this.#works(service);
  }

  /** Was it found after that moment that no server is there, or one that starts? */
  wasAbsentAfter(service: Service, moment: number): boolean {
    return (this.#absences.get(service) ?? -Infinity) > moment;
  }

  #works({ address, port }: Service): void {
    this.#troubles.delete(port);
    this.#worked.add(address);
  }

  /** Was one of them in use? */
  haveWorked(addresses: readonly Address[]): boolean {
    return addresses.some((address) => this.#worked.has(address));
  }

  /** The name has left the address. Whatever failed has yet to be tried where the name is now. */
  leave(address: Address): void {
    this.#conditions.deleteAddress(address);
    this.#absences.deleteAddress(address);
    this.#worked.delete(address);
    this.#troubles.clear();
  }

  /** A port answers: is another one still in trouble? */
  isTroubled(now: number): boolean {
    for (const [port, at] of this.#troubles) if (now - at >= NEWS_LASTS_MILLIS) this.#troubles.delete(port);
    return this.#troubles.size > 0;
  }

  /**
   * What the present addresses are good for: the best of those of the port that fares best.
   * @param isUsed whether connections to the service are open: else its good word is old some time after the last one
   */
  best(addresses: readonly Address[], now: number, isUsed: (service: Service) => boolean): Condition {
    const ports = new Set<number>();
    for (const [service, { condition, at }] of this.#conditions.entries()) {
      if (condition !== 'usable' || now - at < NEWS_LASTS_MILLIS || isUsed(service)) ports.add(service.port);
    }
    const conditions = [...ports].flatMap((port) =>
      addresses.map((address) => this.#conditions.get({ address, port })?.condition ?? 'usable'),
    );
    return ORDER.find((condition) => conditions.includes(condition)) ?? 'usable';
  }
}

/**
 * Does no session go on there that was there before? A server that is full, or lets nobody in, counts as refusing too, and
 * a login that was cut off says nothing of the other sessions: only the system's own refusal does.
 */
function isAbsence(condition: Condition, cause: unknown): boolean {
  if (condition === 'starting' || condition === 'dead') return true;
  return condition === 'refusing' && (cause as { readonly code?: unknown } | undefined)?.code === 'ECONNREFUSED';
}
