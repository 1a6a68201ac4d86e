/** How the lab's DNS server answers. */
export type DnsMode =
  | { readonly kind: DnsModeName }
  /** Each question for addresses takes the next of these answers, round and round. */
  | { readonly kind: 'flicker'; readonly addresses: readonly (readonly string[])[] }
  /** Answers come so much later. */
  | { readonly kind: 'delay'; readonly millis: number }
  /** Whatever the test makes of the question, byte for byte; nothing is sent for an empty list. */
  | { readonly kind: 'raw'; readonly make: (query: Buffer) => Buffer | readonly Buffer[] };

export type DnsModeName =
  | 'normal'
  | 'servfail'
  | 'nxdomain'
  | 'refused'
  /** No error and no records. */
  | 'empty'
  /** The CNAME, and no address behind it. */
  | 'cname-only'
  | 'cname-loop'
  /** No reply. */
  | 'drop'
  /** Bytes that are no DNS message. */
  | 'malformed'
  /** Nothing but the truncation bit over UDP; the whole answer over TCP. */
  | 'truncated'
  /** More records than a datagram of 512 bytes may hold, in one of 4 KiB. */
  | 'oversized'
  | 'wrong-id'
  | 'wrong-name'
  /** The public address, also in the private view. */
  | 'public';
