/** Design, sockets rule 5; it finds a single dead flow in about 15 s. */
const KEEPALIVE_MILLIS = 5_000;
/** libuv takes a shorter delay for the kernel's default of two hours. */
const SHORTEST_KEEPALIVE_MILLIS = 1_000;

/** Milliseconds of idleness before the first keepalive probe. */
export function keepAliveDelay(askedMillis: number = KEEPALIVE_MILLIS): number {
  return askedMillis < SHORTEST_KEEPALIVE_MILLIS ? KEEPALIVE_MILLIS : askedMillis;
}
