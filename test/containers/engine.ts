import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ContainerRuntimeClient } from 'testcontainers';
import { messageOf } from '../../src/errors.js';

/** What testcontainers looks for. To load it takes a second, so it is loaded only where one of these is there. */
const SOCKETS: readonly string[] = [
  '/var/run/docker.sock',
  join(process.env['XDG_RUNTIME_DIR'] ?? '/run/none', 'docker.sock'),
  join(homedir(), '.docker/run/docker.sock'),
  join(homedir(), '.docker/desktop/docker.sock'),
  join(homedir(), '.testcontainers.properties'),
];

let client: Promise<ContainerRuntimeClient | string> | undefined;

/** The engine, or why there is none. */
export async function findEngine(): Promise<ContainerRuntimeClient | string> {
  client ??= connect();
  return await client;
}

/** Why no container of that image runs here; null if one does. */
export async function whyNot(image: string): Promise<string | null> {
  const engine = await findEngine();
  if (typeof engine === 'string') return engine;
  const { ImageName } = await import('testcontainers');
  const name = ImageName.fromString(image);
  try {
    if (!(await engine.image.exists(name))) await engine.image.pull(name);
    return null;
  } catch (error) {
    return `the image ${image} is not here and cannot be pulled: ${messageOf(error).trim()}`;
  }
}

async function connect(): Promise<ContainerRuntimeClient | string> {
  const named = process.env['DOCKER_HOST'] !== undefined || process.platform === 'win32';
  if (!named && !SOCKETS.some((path) => existsSync(path))) return 'no container engine: no DOCKER_HOST, no socket';
  try {
    const { getContainerRuntimeClient } = await import('testcontainers');
    return await getContainerRuntimeClient();
  } catch (error) {
    return `no container engine answers: ${messageOf(error)}`;
  }
}
