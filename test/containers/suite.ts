import { describe } from 'vitest';
import { whyNot } from './engine.js';
import type { ServerImage } from './server-image.js';

/** Tests that need containers of these servers; where one cannot run they are skipped, and the suite's name says why. */
export async function suiteFor(name: string, servers: readonly ServerImage[], body: () => void): Promise<void> {
  const reasons = await Promise.all(servers.map((server) => whyNot(server.image)));
  const reason = reasons.find((each) => each !== null);
  if (reason === undefined) describe(name, body);
  else describe.skip(`${name} (skipped: ${reason})`, body);
}
