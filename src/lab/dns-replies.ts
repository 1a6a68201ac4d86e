import { randomBytes } from 'node:crypto';
import packet, { type Answer, type Question } from 'dns-packet';
import type { DnsMode } from './dns-modes.js';

export type View = 'private' | 'public';

export interface Records {
  readonly a: readonly string[];
  readonly aaaa: readonly string[];
}

export interface Asked {
  /** The question's bytes. */
  readonly query: Buffer;
  readonly id: number;
  readonly question: Question;
  readonly view: View;
  readonly transport: 'udp' | 'tcp';
  readonly mode: DnsMode;
  readonly records: Records;
  readonly names: {
    readonly name: string;
    readonly publicName: string;
    readonly publicAddress: string;
    readonly ttlSeconds: number;
  };
}

const SERVFAIL = 2;
const NXDOMAIN = 3;
const REFUSED = 5;

/** What the server sends back: nothing, one message, or what a hostile server would. */
export function replyTo(asked: Asked): readonly Buffer[] {
  const { mode } = asked;
  if (!isOurs(asked) && mode.kind !== 'raw') return [encode(asked, [], { rcode: NXDOMAIN })];
  switch (mode.kind) {
    case 'normal':
    case 'flicker':
    case 'delay':
    case 'public':
      return [encode(asked, answersTo(asked))];
    case 'servfail':
      return [encode(asked, [], { rcode: SERVFAIL })];
    case 'nxdomain':
      return [encode(asked, [], { rcode: NXDOMAIN })];
    case 'refused':
      return [encode(asked, [], { rcode: REFUSED })];
    case 'empty':
      return [encode(asked, [])];
    case 'cname-only':
      return [
        encode(
          asked,
          answersTo(asked).filter(({ type }) => type === 'CNAME'),
        ),
      ];
    case 'cname-loop':
      return [encode(asked, loop(asked))];
    case 'drop':
      return [];
    case 'malformed':
      return [Buffer.concat([asked.query.subarray(0, 2), randomBytes(20)])];
    case 'truncated':
      return [
        asked.transport === 'tcp'
          ? encode(asked, answersTo(asked))
          : encode(asked, [], { flags: packet.TRUNCATED_RESPONSE }),
      ];
    case 'oversized':
      return [encode(asked, Array.from({ length: 200 }, () => answersTo(asked)).flat())];
    case 'wrong-id':
      return [encode({ ...asked, id: (asked.id + 1) & 0xffff }, answersTo(asked))];
    case 'wrong-name':
      return [encode({ ...asked, question: { ...asked.question, name: 'other.example.com' } }, answersTo(asked))];
    case 'raw':
      return [mode.make(asked.query)].flat();
  }
}

function encode(
  { id, question }: Asked,
  answers: readonly Answer[],
  { rcode = 0, flags = 0 }: { readonly rcode?: number; readonly flags?: number } = {},
): Buffer {
  return packet.encode({
    type: 'response',
    id,
    flags: packet.AUTHORITATIVE_ANSWER | flags | rcode,
    questions: [question],
    answers: [...answers],
  });
}

function isOurs({ question, names }: Asked): boolean {
  const asked = question.name.toLowerCase();
  return asked === names.name || asked === names.publicName;
}

function answersTo({ question, view, mode, records, names }: Asked): Answer[] {
  const { name, publicName, publicAddress, ttlSeconds: ttl } = names;
  const asked = question.name.toLowerCase();
  const alias: Answer[] = asked === name && name !== publicName ? [{ type: 'CNAME', name, data: publicName, ttl }] : [];
  const shown = view === 'public' || mode.kind === 'public' ? { a: [publicAddress], aaaa: [] } : records;
  if (question.type === 'A')
    return [...alias, ...shown.a.map((data): Answer => ({ type: 'A', name: publicName, data, ttl }))];
  if (question.type === 'AAAA') {
    return [...alias, ...shown.aaaa.map((data): Answer => ({ type: 'AAAA', name: publicName, data, ttl }))];
  }
  return alias;
}

function loop({ question, names: { publicName, ttlSeconds: ttl } }: Asked): Answer[] {
  return [
    { type: 'CNAME', name: question.name, data: publicName, ttl },
    { type: 'CNAME', name: publicName, data: question.name, ttl },
  ];
}
