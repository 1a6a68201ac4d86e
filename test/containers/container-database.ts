import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ContainerRuntimeClient,
  GenericContainer,
  type StartedNetwork,
  type StartedTestContainer,
  Wait,
} from 'testcontainers';
import { type Database, type DatabaseContext, type DatabaseFactory, type Lab, startLab } from '../../src/lab/index.js';
import { freePort } from '../../src/lab/server-process.js';
import { findEngine } from './engine.js';
import type { ServerImage } from './server-image.js';

type EngineContainer = ReturnType<ContainerRuntimeClient['container']['getById']>;

/** How long a server may take until it accepts logins. */
const START_MILLIS: number = 90_000;

/**
 * A lab with servers in containers, and these servers, which can do more than the lab knows.
 * @param network theirs, for tests that take a container's address away: on the engine's own network another container
 *   may have that address next
 */
export async function startContainers(
  server: ServerImage,
  hosts: number = 2,
  network: StartedNetwork | null = null,
): Promise<{ readonly lab: Lab; readonly databases: readonly ContainerDatabase[] }> {
  const databases: ContainerDatabase[] = [];
  const make: DatabaseFactory = async (context) => {
    const database = await ContainerDatabase.start(server, context, network);
    databases[context.index] = database;
    return database;
  };
  return { lab: await startLab({ databases: make, hosts }), databases };
}

/** A server in a container; its faults are those of the container. */
export class ContainerDatabase implements Database {
  readonly kind: string;
  readonly address: string;
  readonly port: number;
  readonly #server: ServerImage;
  readonly #engine: ContainerRuntimeClient;
  readonly #container: EngineContainer;
  readonly #network: string;
  readonly #listeners: ((listening: boolean) => void)[] = [];

  private constructor(
    server: ServerImage,
    started: StartedTestContainer,
    engine: ContainerRuntimeClient,
    network: StartedNetwork | null,
  ) {
    this.#network = network?.getName() ?? 'bridge';
    this.kind = server.kind;
    this.#server = server;
    this.address = started.getHost() === 'localhost' ? '127.0.0.1' : started.getHost();
    this.port = started.getMappedPort(server.port);
    this.#engine = engine;
    this.#container = engine.container.getById(started.getId());
  }

  static async start(
    server: ServerImage,
    context: DatabaseContext,
    network: StartedNetwork | null,
  ): Promise<ContainerDatabase> {
    const engine = await findEngine();
    if (typeof engine === 'string') throw new Error(engine);
    // A port of the engine's choice is another one after a restart.
    const host = await freePort('127.0.0.1');
    const container = new GenericContainer(server.image);
    if (network !== null) container.withNetwork(network);
    const started = await container
      .withEnvironment({ ...server.environment })
      .withExposedPorts({ container: server.port, host })
      .withWaitStrategy(Wait.forAll([]))
      .withLogConsumer((log) => log.on('data', (line) => context.log(String(line).trimEnd())))
      .start();
    const database = new ContainerDatabase(server, started, engine, network);
    try {
      await database.#acceptsLogins();
      return database;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  async kill(): Promise<void> {
    const gone = this.#container.wait();
    await this.#container.kill({ signal: 'SIGKILL' });
    await gone;
    this.#tell(false);
  }

  async suspend(): Promise<void> {
    await this.#container.pause();
  }

  async resume(): Promise<void> {
    await this.#container.unpause();
  }

  async restart(): Promise<void> {
    const { State } = await this.#container.inspect();
    if (State.Running) await this.kill();
    await this.#container.start();
    this.#tell(true); // from now on clients see a server that is starting
    await this.#acceptsLogins();
  }

  async close(): Promise<void> {
    await this.#container.remove({ force: true, v: true });
  }

  async query<Row>(sql: string): Promise<Row[]> {
    return await this.#server.query<Row>(this.address, this.port, sql);
  }

  subscribe(listener: (listening: boolean) => void): void {
    this.#listeners.push(listener);
  }

  /** Which server this is; see {@link ServerImage.identity}. */
  async identity(): Promise<string> {
    return (await this.query<{ id: string }>(this.#server.identity))[0]!.id;
  }

  /** The container's own address, where no proxy stands between; null unless it is on a network of this very machine. */
  async ownAddress(): Promise<string | null> {
    const { NetworkSettings } = await this.#container.inspect();
    const network = NetworkSettings.Networks[this.#network];
    const ours = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
    return ours.some(({ address }) => address === network?.Gateway) ? network!.IPAddress : null;
  }

  /** The network cable is pulled: packets get lost, nobody says a word. */
  async disconnect(): Promise<void> {
    const network = this.#engine.container.dockerode.getNetwork(this.#network);
    await network.disconnect({ Container: this.#container.id, Force: true });
  }

  /** The server is told to end, and its address goes with it. */
  async stop(): Promise<void> {
    await this.#container.stop({ t: 30 });
  }

  async readFile(path: string): Promise<string> {
    return await this.#run('cat', path);
  }

  async writeFile(path: string, text: string): Promise<void> {
    await this.#run('sh', '-c', 'mkdir -p "$(dirname "$0")" && printf "%s" "$1" >"$0"', path, text);
  }

  async removeFile(path: string): Promise<void> {
    await this.#run('rm', path);
  }

  async #run(...command: string[]): Promise<string> {
    const { output, exitCode } = await this.#engine.container.exec(this.#container, command);
    if (exitCode !== 0) throw new Error(output);
    return output;
  }

  #tell(listening: boolean): void {
    for (const listener of this.#listeners) listener(listening);
  }

  /** The engine's port answers before the server does, and a log says different things in different images: ask the server. */
  async #acceptsLogins(): Promise<void> {
    const until = performance.now() + START_MILLIS;
    for (;;) {
      try {
        await this.query('select 1');
        return;
      } catch (error) {
        const { State } = await this.#container.inspect();
        if (!State.Running || performance.now() > until) {
          const log = await this.#container.logs({ stdout: true, stderr: true, tail: 20 });
          throw new Error(`${this.kind} in a container does not accept logins:\n${log.toString()}`, { cause: error });
        }
        await sleep(100);
      }
    }
  }
}
