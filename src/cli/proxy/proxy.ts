import { systemClock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import type { Output } from '../output.js';
import { Admin } from './admin.js';
import { loadMetrics } from './metrics.js';
import { placeText } from './places.js';
import { Route } from './route.js';
import type { ProxySettings } from './settings.js';

/** Every route of one process, from the first client to the last. */
export class Proxy {
  readonly #settings: ProxySettings;
  readonly #output: Output;
  readonly #routes: Route[] = [];
  #admin: Admin | null = null;
  #draining = false;

  constructor(settings: ProxySettings, output: Output) {
    this.#settings = settings;
    this.#output = output;
  }

  /** Serves until the signal is aborted, and then until nobody is left or the time for that is over. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (const settings of this.#settings.routes) this.#routes.push(new Route(settings));
      await this.#openAdmin();
      for (const route of this.#routes) await this.#open(route);
      await aborted(signal);
      await this.#drain();
    } finally {
      for (const route of this.#routes) route.close();
      this.#admin?.close();
    }
  }

  async #openAdmin(): Promise<void> {
    const { admin } = this.#settings;
    if (admin === null) return;
    const metrics = await loadMetrics(this.#routes);
    this.#admin = new Admin({ routes: this.#routes, metrics, isDraining: () => this.#draining });
    const place = placeText(await this.#admin.open(admin));
    this.#tell('admin', { place }, `http://${place}/health, /ready and /metrics`);
  }

  async #open(route: Route): Promise<void> {
    this.#follow(route);
    await route.open();
    const { name, port } = route.settings.target;
    const [listen, to] = [placeText(route.listening), `${name}:${port}`];
    this.#tell('listening', { listen, to }, `${listen} → ${to}`);
  }

  /** What an operator wants to read afterwards. */
  #follow(route: Route): void {
    const { endpoint, settings } = route;
    const { name } = settings.target;
    endpoint.on('move', ({ from, to, source }) => {
      this.#tell('move', { name, from, to, source }, `${name}: ${from.join(', ')} → ${to.join(', ')} (${source})`);
    });
    endpoint.on('down', ({ cause, addresses }) => {
      const why = messageOf(cause);
      this.#tell('down', { name, addresses, cause: why }, `${name}: no server at ${addresses.join(', ')}: ${why}`);
    });
    endpoint.on('recovered', ({ address, afterMillis }) => {
      const millis = Math.round(afterMillis);
      this.#tell(
        'recovered',
        { name, address, afterMillis: millis },
        `${name}: ${address} answers, after ${millis} ms`,
      );
    });
    endpoint.on('warning', ({ code, message }) => {
      this.#tell('warning', { name, code, message }, `${name}: ${message}`);
    });
    this.#tellOfDns(route);
    this.#tellOfClients(route);
  }

  /** Once in a row: a name is asked ten times a second while something is wrong. */
  #tellOfDns({ endpoint, settings }: Route): void {
    const { name } = settings.target;
    let failing = false;
    endpoint.on('answer', () => void (failing = false));
    endpoint.on('resolveError', ({ error, source }) => {
      if (failing) return;
      failing = true;
      const why = messageOf(error);
      this.#tell('resolveError', { name, source, error: why }, `${name}: ${source} failed: ${why}`);
    });
  }

  /** Once in a row: they may come by the thousand. */
  #tellOfClients(route: Route): void {
    const { maxConnections, deadlineMillis, target } = route.settings;
    route.onFull = () => {
      const listen = placeText(route.listening);
      const text = `${listen}: ${maxConnections} clients, more are closed at once (--max-connections)`;
      this.#tell('full', { listen, maxConnections }, text);
    };
    route.onUnreached = (cause) => {
      const why = messageOf(cause);
      const text = `${target.name}: a client got no server within ${deadlineMillis} ms (--deadline), or none may be: ${why}`;
      this.#tell('unreached', { name: target.name, deadlineMillis, cause: why }, text);
    };
  }

  async #drain(): Promise<void> {
    const { graceMillis } = this.#settings;
    this.#draining = true;
    const left = this.#routes.reduce((sum, { clients }) => sum + clients.waiting + clients.open, 0);
    this.#tell('draining', { clients: left, graceMillis }, `ending: ${left} clients have ${graceMillis} ms to end`);
    let callOff = (): void => {};
    const late = new Promise<void>((resolve) => {
      const timer = systemClock.setAwaited(resolve, graceMillis);
      callOff = () => systemClock.clear(timer);
    });
    await Promise.race([Promise.all(this.#routes.map((route) => route.drain())), late]);
    callOff();
    const cut = this.#routes.reduce((sum, { clients }) => sum + clients.waiting + clients.open, 0);
    this.#tell('ended', { cut }, cut === 0 ? 'ended' : `ended, ${cut} clients were cut (--grace)`);
  }

  #tell(event: string, data: object, text: string): void {
    const at = new Date().toISOString();
    this.#output.data({ at, event, ...data });
    this.#output.line(`${at} ${text}`);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
