import { setTimeout } from 'node:timers/promises';
import type { Lab, LabHost } from '../../lab/index.js';
import type { DatabaseKind } from './client.js';
import { type Fault, specOf } from './fault.js';
import type { Change } from './operation.js';
import { sharedNow } from './rpc.js';
import { holdInRecovery } from './slow-start.js';

/** Where faults are inflicted, one after the other, and healed. */
export class Stage {
  readonly #lab: Lab;
  readonly #kind: DatabaseKind;
  #scene: Scene | undefined;

  constructor(lab: Lab, kind: DatabaseKind) {
    this.#lab = lab;
    this.#kind = kind;
  }

  /** `hurry`: without the time between the first event and the last, for who is only told of the end of it. */
  async inflict(fault: Fault, hurry: boolean): Promise<Change> {
    await this.heal();
    this.#scene = new Scene(this.#lab, this.#kind, hurry);
    await specOf(fault).inflict(this.#scene);
    return this.#scene.change();
  }

  /** All hosts are well, and the name stays where it is. */
  async heal(): Promise<void> {
    await this.#scene?.heal();
    this.#scene = undefined;
  }
}

/** One change: what may happen to the host that the name points to and to the next one, and how each is undone. */
export class Scene {
  readonly #lab: Lab;
  readonly #kind: DatabaseKind;
  readonly #old: LabHost;
  readonly #next: LabHost;
  readonly #hurry: boolean;
  readonly #undo: (() => Promise<unknown> | void)[] = [];
  #begunAt = Infinity;

  constructor(lab: Lab, kind: DatabaseKind, hurry: boolean) {
    this.#lab = lab;
    this.#kind = kind;
    this.#hurry = hurry;
    this.#old = lab.current;
    this.#next = lab.hosts[(this.#old.index + 1) % lab.hosts.length]!;
  }

  kill(): void {
    this.#undo.push(() => this.#old.restore());
    this.#old.kill();
    this.#begin();
  }

  async silence(): Promise<void> {
    this.#undo.push(() => this.#old.restore());
    if (this.#lab.network.kind === 'real') await this.#old.blackhole();
    else this.#old.stall();
    this.#begin();
  }

  async suspend(): Promise<void> {
    this.#undo.push(() => this.#old.database.resume());
    await this.#old.database.suspend();
    this.#begin();
  }

  async demote(): Promise<void> {
    this.#undo.push(() => this.#setReadOnly(false));
    await this.#setReadOnly(true);
    this.#begin();
  }

  async move(): Promise<void> {
    await this.#lab.move(this.#next);
    this.#begin();
  }

  /** The first answer is the new address already. */
  async flicker(durationMillis: number): Promise<void> {
    const old = this.#old.address;
    await this.#lab.move(this.#next);
    this.#undo.push(() => this.mendDns());
    this.#lab.dns.flicker(this.#next.address, old, durationMillis);
    this.#begin();
  }

  failDns(kind: 'drop' | 'servfail' | 'empty' | 'public'): void {
    this.#undo.push(() => this.mendDns());
    this.#lab.dns.setMode({ kind });
    this.#begin();
  }

  mendDns(): void {
    this.#lab.dns.setMode({ kind: 'normal' });
  }

  /** The next server is starting, and will be for so long after the change; to be called before it. */
  async startSlowly(millis: number): Promise<void> {
    const ready = await this.#hold();
    // Runs once, at its time or when all is undone.
    let done: Promise<void> | undefined;
    const release = (): Promise<void> => (done ??= ready());
    const timer = globalThis.setTimeout(() => void release().catch(() => {}), millis);
    this.#undo.push(async () => {
      clearTimeout(timer);
      await release();
    });
  }

  /** A time that passes between two events; not for who is in a hurry. */
  async wait(millis: number): Promise<void> {
    if (!this.#hurry) await setTimeout(millis);
  }

  change(): Change {
    const [oldServer, newServer] = [this.#old.database.port, this.#next.database.port];
    return { at: sharedNow(), begunAt: this.#begunAt, oldServer, newServer };
  }

  async heal(): Promise<void> {
    for (const undo of this.#undo.splice(0).toReversed()) await undo();
  }

  #begin(): void {
    this.#begunAt = Math.min(this.#begunAt, sharedNow());
  }

  async #hold(): Promise<() => Promise<void>> {
    if (this.#kind === 'embedded-postgres') return await holdInRecovery(this.#lab, this.#next);
    // MySQL's protocol has no such answer: until it is ready the server does not listen.
    this.#next.refuse();
    return () => this.#next.restore();
  }

  async #setReadOnly(on: boolean): Promise<void> {
    const { database } = this.#old;
    if (this.#kind === 'mariadb') {
      await database.query(`set global read_only = ${on ? 1 : 0}`);
      return;
    }
    await database.query(`alter system set default_transaction_read_only = ${on ? 'on' : 'off'}`);
    await database.query('select pg_reload_conf()');
  }
}
