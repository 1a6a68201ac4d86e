import { isIPv6 } from 'node:net';
import type { DnsMode, DnsRecord, Zone } from './dns-mode.js';
import type { Wire, WireQuery, WireQuestion, WireRecord } from './wire.js';

/** Header bits and response codes: RFC 1035, section 4.1.1. */
const AUTHORITATIVE_ANSWER: number = 0x400;
const TRUNCATED_RESPONSE: number = 0x200;
const RECURSION_DESIRED: number = 0x100;
const RECURSION_AVAILABLE: number = 0x80;
const NOERROR: number = 0;
const FORMERR: number = 1;
const SERVFAIL: number = 2;
const NXDOMAIN: number = 3;
const REFUSED: number = 5;

/** A chain longer than this is a loop; resolvers give up at 8 to 16 too. */
const MAX_CHAIN: number = 16;
const OVERSIZED_BYTES: number = 8_000;

export interface ReplyContext {
  readonly wire: Wire;
  readonly mode: DnsMode;
  readonly zone: Zone;
  readonly transport: 'udp' | 'tcp';
  /** These addresses instead of those of the zone, where the mode flickers. */
  readonly override: readonly string[] | undefined;
}

export interface Reply {
  readonly messages: readonly Buffer[];
  /** The addresses that a client can read from it. */
  readonly addresses: readonly string[];
}

interface Found {
  readonly rcode: number;
  readonly answers: readonly WireRecord[];
}

/** What the server says to one query. Pure: the caller sends it, late if the mode says so. */
export function replyTo(query: WireQuery, bytes: Buffer, context: ReplyContext): Reply {
  const { wire, mode, zone, override } = context;
  const question = query.questions[0];
  if (question === undefined) return plain(wire, query, { rcode: FORMERR, answers: [] });
  const found = find(zone, question, override);
  switch (mode.kind) {
    case 'normal':
    case 'flicker':
    case 'delay':
    case 'public':
      return plain(wire, query, found);
    case 'servfail':
      return plain(wire, query, { rcode: SERVFAIL, answers: [] });
    case 'nxdomain':
      return plain(wire, query, { rcode: NXDOMAIN, answers: [] });
    case 'refused':
      return plain(wire, query, { rcode: REFUSED, answers: [] });
    case 'empty':
      return plain(wire, query, { rcode: NOERROR, answers: [] });
    case 'cname-only':
      return plain(wire, query, { rcode: NOERROR, answers: found.answers.filter((a) => a.type === 'CNAME') });
    case 'drop':
      return { messages: [], addresses: [] };
    case 'raw':
      return { messages: [mode.make(bytes)].flat(), addresses: [] };
    case 'malformed':
      return { messages: [garbage(bytes)], addresses: [] };
    case 'truncated':
      return context.transport === 'tcp' ? plain(wire, query, found) : truncated(wire, query);
    case 'wrong-id':
      return { ...plain(wire, { ...query, id: query.id ^ 0xffff }, found), addresses: [] };
    case 'wrong-name':
      return wrongName(wire, query, question, found);
    case 'cname-loop':
      return plain(wire, query, { rcode: NOERROR, answers: loop(question) });
    default:
      mode.kind satisfies 'oversized';
      return plain(wire, query, found, padding(question.name));
  }
}

/** To bytes that are no query: the id, if there is one, and FORMERR. */
export function noQuery(bytes: Buffer): Reply {
  if (bytes.length < 2) return { messages: [], addresses: [] };
  const message = Buffer.alloc(12);
  bytes.copy(message, 0, 0, 2);
  message.writeUInt16BE(0x8000 | FORMERR, 2);
  return { messages: [message], addresses: [] };
}

/** Follows the CNAMEs of the zone to the records of the type that was asked for. */
function find(zone: Zone, question: WireQuestion, override: readonly string[] | undefined): Found {
  const answers: WireRecord[] = [];
  let name = question.name;
  if (!zone.has(name.toLowerCase())) return { rcode: NXDOMAIN, answers };
  for (let step = 0; step < MAX_CHAIN; step++) {
    const records = zone.get(name.toLowerCase()) ?? [];
    const alias = records.find((record) => record.type === 'CNAME');
    if (alias === undefined) {
      answers.push(...addressRecords(name, question, records, override));
      break;
    }
    answers.push(toAnswer(name, alias));
    if (question.type === 'CNAME') break;
    name = alias.data;
  }
  return { rcode: NOERROR, answers };
}

function addressRecords(
  name: string,
  question: WireQuestion,
  records: readonly DnsRecord[],
  override: readonly string[] | undefined,
): WireRecord[] {
  const ttlSeconds = records[0]?.ttlSeconds ?? 0;
  const shown =
    override?.map((data) => ({ type: isIPv6(data) ? ('AAAA' as const) : ('A' as const), data, ttlSeconds })) ?? records;
  return shown.filter((record) => record.type === question.type).map((record) => toAnswer(name, record));
}

function toAnswer(name: string, { type, data, ttlSeconds }: DnsRecord): WireRecord {
  return { type, name, ttl: ttlSeconds, class: 'IN', data };
}

function plain(wire: Wire, query: WireQuery, found: Found, additionals: readonly WireRecord[] = []): Reply {
  const message = wire.encode({
    type: 'response',
    id: query.id,
    flags: AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | (query.flag_rd ? RECURSION_DESIRED : 0) | found.rcode,
    questions: query.questions.slice(0, 1),
    answers: found.answers,
    additionals,
  });
  const addresses = found.answers.filter((a) => a.type === 'A' || a.type === 'AAAA').map((a) => a.data);
  return { messages: [message], addresses };
}

function truncated(wire: Wire, query: WireQuery): Reply {
  const flags = AUTHORITATIVE_ANSWER | TRUNCATED_RESPONSE;
  const message = wire.encode({ type: 'response', id: query.id, flags, questions: query.questions });
  return { messages: [message], addresses: [] };
}

function wrongName(wire: Wire, query: WireQuery, question: WireQuestion, found: Found): Reply {
  const name = `not-${question.name}`.slice(0, 63 + question.name.length - (question.name.split('.')[0]?.length ?? 0));
  const answers = found.answers.map((answer) => ({ ...answer, name }));
  return { ...plain(wire, { ...query, questions: [{ ...question, name }] }, { ...found, answers }), addresses: [] };
}

function loop(question: WireQuestion): WireRecord[] {
  const there = `loop.${question.name}`;
  return [
    { type: 'CNAME', name: question.name, ttl: 1, class: 'IN', data: there },
    { type: 'CNAME', name: there, ttl: 1, class: 'IN', data: question.name },
  ];
}

function padding(name: string): WireRecord[] {
  const text = 'x'.repeat(250);
  return Array.from({ length: Math.ceil(OVERSIZED_BYTES / 250) }, () => ({
    type: 'TXT',
    name,
    ttl: 1,
    class: 'IN' as const,
    data: text,
  }));
}

/** The query's id, so that the client reads on; then a header that promises what is not there. */
function garbage(query: Buffer): Buffer {
  const bytes = Buffer.alloc(40, 0xff);
  query.copy(bytes, 0, 0, 2);
  bytes.writeUInt16BE(0x8400, 2);
  return bytes;
}
