import type { Endpoint } from '../src/index.js';

/** Attempts take turns, so which one is the first to succeed is chance: several pools leave none. */
export const POOLS = 3;
export const CALLERS = 5;

export const inOrder: readonly number[] = Array.from({ length: CALLERS }, (_, n) => n);

/** In which order callers of one pool get their connections. */
export async function served(lease: () => Promise<{ release(): void }>): Promise<number[]> {
  const order: number[] = [];
  const leases = await Promise.all(
    inOrder.map(async (n) => {
      const leased = await lease();
      order.push(n);
      return leased;
    }),
  );
  for (const leased of leases) leased.release();
  return order;
}

export async function afterFailures({ endpoint }: { readonly endpoint: Endpoint | null }): Promise<void> {
  await new Promise((resolve) => endpoint!.once('down', resolve));
}
