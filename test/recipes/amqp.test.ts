import { type ChannelModel, connect, type RecoveryOptions } from 'amqplib';
import type { TcpNetConnectOpts } from 'node:net';
import { expect, it } from 'vitest';
import { behind } from '../server-program.js';
import { suiteWith } from '../suite-with.js';
import { GARAGEMQ } from './programs.js';
import { useServers } from './support.js';

/** They go to `net.connect`. */
type SocketOptions = Pick<TcpNetConnectOpts, 'lookup' | 'autoSelectFamily'> & { readonly recovery: RecoveryOptions };

suiteWith('garagemq', 'amqplib', () => {
  const recipe = useServers(behind(() => GARAGEMQ));

  it('follows the name with lookup and its recovery, where a move closes the connection', async () => {
    const { endpoint, lab } = recipe;
    let current: ChannelModel | undefined;
    const options: SocketOptions = {
      lookup: endpoint.lookup,
      autoSelectFamily: false,
      recovery: { initialDelay: 10, maxDelay: 200, setup: async (model: ChannelModel) => void (current = model) },
    };
    const connection = await connect(`amqp://${lab.name}:${lab.port}`, options);
    connection.on('error', () => {});
    // amqplib makes its sockets itself: the endpoint cannot close them.
    endpoint.on('move', () => void current?.close().catch(() => {}));
    /** Puts a job into the queue of the broker that the name points to; tells how many wait there. */
    const enqueue = async (): Promise<number> => {
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      await channel.assertQueue('jobs');
      channel.sendToQueue('jobs', Buffer.from('job'));
      const { messageCount } = await channel.checkQueue('jobs');
      await channel.close();
      return messageCount;
    };
    expect([await enqueue(), await enqueue()]).toEqual([1, 2]);
    await recipe.move(1);
    await expect.poll(() => lab.hosts[0]!.connections).toBe(0);
    expect(await enqueue()).toBe(1);
    const disconnected = new Promise((resolve) => connection.once('disconnect', resolve));
    lab.hosts[1]!.kill();
    await disconnected;
    const waiting = enqueue();
    await recipe.move(0);
    expect(await waiting).toBe(3);
    await connection.close();
  });
});
