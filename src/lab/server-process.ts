import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { EipPoolError } from '../errors.js';

/** The last lines that a program wrote, for the message if it fails. */
export interface LogTail {
  lines: readonly string[];
  onLine: ((line: string) => void) | undefined;
}

export function failed(program: string, { lines }: LogTail): EipPoolError {
  return new EipPoolError('LAB_UNAVAILABLE', `${program} failed: ${lines.join('\n') || 'it wrote nothing'}`);
}

export function followLog(child: ChildProcess, log: (line: string) => void): LogTail {
  const tail: LogTail = { lines: [], onLine: undefined };
  createInterface({ input: child.stderr! }).on('line', (line) => {
    tail.lines = [...tail.lines.slice(-19), line];
    tail.onLine?.(line);
    log(line);
  });
  return tail;
}

export async function freePort(address: string): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  await once(server.close(), 'close');
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}
