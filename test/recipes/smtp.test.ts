import type { Socket } from 'node:net';
import nodemailer from 'nodemailer';
import { SMTPServer } from 'smtp-server';
import { beforeEach, expect, it } from 'vitest';
import { inProcess, useServers } from './support.js';

const received: string[] = [];
const smtp = inProcess((index) => {
  const server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    onData: (stream, session, callback) => {
      received.push(`host-${index} from ${session.envelope.mailFrom ? session.envelope.mailFrom.address : ''}`);
      stream.resume().on('end', () => callback());
    },
  });
  server.on('error', () => {});
  return server.server;
});
const recipe = useServers(smtp);

beforeEach(() => {
  received.length = 0;
});

it('nodemailer follows the name with getSocket, and a pooled connection moves too', async () => {
  const { endpoint, lab } = recipe;
  const transport = nodemailer.createTransport({
    host: lab.name,
    port: lab.port,
    pool: true,
    maxConnections: 1,
    getSocket: (_options: object, callback: (error: Error | null, found: { connection: Socket } | false) => void) => {
      const socket = endpoint.connect(lab.port);
      socket.once('connect', () => callback(null, { connection: socket }));
      socket.once('error', (error: Error) => callback(error, false));
    },
  });
  transport.on('error', () => {});
  const send = async (): Promise<unknown> =>
    await transport.sendMail({ from: 'a@example.com', to: 'b@example.com', subject: 'x', text: 'x' });
  await send();
  await send();
  await recipe.move(1);
  await expect.poll(() => lab.hosts[0]!.connections).toBe(0);
  await send();
  expect(received).toEqual(['host-0', 'host-0', 'host-1'].map((host) => `${host} from a@example.com`));
  transport.close();
});
