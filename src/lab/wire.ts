import { EipPoolError } from '../errors.js';

/** What of dns-packet the lab uses. In types of our own, so that users of the lab need none of its. */
export interface Wire {
  decode(bytes: Buffer): WireQuery;
  encode(message: WireReply): Buffer;
}

export interface WireQuestion {
  /** `'A'`, `'AAAA'`, …, or `'UNKNOWN_65'`. */
  readonly type: string;
  readonly name: string;
}

export interface WireQuery {
  readonly id: number;
  readonly flag_rd: boolean;
  readonly questions: readonly WireQuestion[];
}

export interface WireRecord {
  readonly type: string;
  readonly name: string;
  readonly ttl: number;
  readonly class: 'IN';
  readonly data: string;
}

export interface WireReply {
  readonly type: 'response';
  readonly id: number;
  readonly flags: number;
  readonly questions: readonly WireQuestion[];
  readonly answers?: readonly WireRecord[];
  readonly additionals?: readonly WireRecord[];
}

/** Loaded on demand: dns-packet is an optional peer, and only the lab needs it. */
export async function loadWire(): Promise<Wire> {
  try {
    const loaded = await import('dns-packet');
    return ('default' in loaded ? loaded.default : loaded) as unknown as Wire;
  } catch (error) {
    throw new EipPoolError(
      'LAB_UNAVAILABLE',
      'the lab needs the package dns-packet: npm install --save-dev dns-packet',
      {
        cause: error,
      },
    );
  }
}
