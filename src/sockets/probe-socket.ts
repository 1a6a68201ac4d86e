import { Socket } from 'node:net';
import type { Address } from '../endpoint/address.js';

/** Dials one address whatever its driver asks for, outside the gate, and belongs to no set. */
export class ProbeSocket extends Socket {
  readonly #address: Address;
  #abandoned = false;

  constructor(address: Address) {
    super();
    this.#address = address;
    this.on('error', () => {});
  }

  /** Nobody wants to know any more. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  abandon(): void {
    this.#abandoned = true;
    this.destroy();
  }

  /** As a driver calls it: the port, and the name of the host, which is ignored. */
  override connect(...args: unknown[]): this {
    return super.connect({ host: this.#address, port: Number(args[0]), autoSelectFamily: false });
  }
}
