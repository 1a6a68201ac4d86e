import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { outcomeOf, type ReplayEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { createConnection, createPool, type Pool } from '../../src/mysql2/index.js';
import { end, lease, makePool, onServers, settled, startServers } from './support.js';
import { startLogins } from './logins.js';

let pool: Pool;
afterEach(async () => {
  if (pool !== undefined) await end(pool);
});

onServers(
  'an error that a procedure raises after its commit, and that says what a leaving or a full server would,',
  () => {
    let lab: Lab;
    const RAISED: readonly (readonly [errno: number, sqlState: string, said: string])[] = [
      [1040, '08004', 'Too many connections'],
      [1045, '28000', 'Access denied'],
      [1053, '08S01', 'Server shutdown in progress'],
      [1927, '70100', 'Connection was killed'],
      [1290, 'HY000', 'read-only'],
      [1644, '45000', 'Pool is closed.'],
      [1644, '45000', "Can't add new command when connection is in closed state"],
      [1644, '08S01', 'no connection to the archive'],
    ];

    beforeAll(async () => {
      lab = await startServers({ hosts: 1 });
      const { database } = lab.hosts[0]!;
      await database.query('create table w (n int)');
      for (const [index, [errno, sqlState, said]] of RAISED.entries()) {
        await database.query(
          `create procedure quota${index}() begin insert into w values (1); commit;
          signal sqlstate '${sqlState}' set mysql_errno = ${errno}, message_text = '${said.replaceAll("'", "''")}'; end`,
        );
      }
      await database.query(`create procedure no() signal sqlstate '45000' set mysql_errno = 1792, message_text = 'no'`);
    }, 60_000);
    afterAll(async () => {
      await lab?.close();
    });

    async function written(): Promise<number> {
      const rows = await lab.hosts[0]!.database.query('select 1 from w');
      await lab.hosts[0]!.database.query('delete from w');
      return rows.length;
    }

    it.each(RAISED.map(([errno, , said], index) => [errno, said, `call quota${index}()`] as const))(
      'is its answer: with %i, %s, it is not run again',
      async (errno, _, sql) => {
        pool = makePool(lab);
        const replays: ReplayEvent[] = [];
        pool.endpoint!.on('replay', (event) => void replays.push(event));
        const held = await lease(pool);
        const prepared = await held.promise().prepare(sql);
        const ways = [
          pool.promise().query(sql),
          pool.promise().execute(sql),
          held.promise().query(sql),
          prepared.execute([]),
        ];
        for (const { error } of await Promise.all((ways as Promise<unknown>[]).map(settled))) {
          expect((error as { errno?: number }).errno).toBe(errno);
          expect(outcomeOf(error)).not.toBe('not-sent');
        }
        held.release();
        expect([await written(), replays]).toEqual([ways.length, []]);
      },
    );

    it('keeps its place among the callbacks of a lease, though the server is asked for its role', async () => {
      pool = makePool(lab);
      const held = await lease(pool);
      const told: string[] = [];
      const note = (name: string) => (): void => void told.push(name);
      held.query('select 1', note('first'));
      held.query('insert into w select 1 from (select 1) as t where 1 = 0', note('second'));
      held.query('start transaction read only', note('begin'));
      held.query('insert into w values (1)', note('refused'));
      held.query('select sleep(0.1)', note('sleep'));
      await new Promise((resolve) => held.query('rollback', resolve));
      expect(told).toEqual(['first', 'second', 'begin', 'refused', 'sleep']);
      held.release();
    });
  },
);

/** A server that lets everybody in, and refuses every statement with this. */
async function serve(refusal: {
  message: string;
  code: number;
}): Promise<{ port: number; asked(): number; close(): void }> {
  let asked = 0;
  const { port, close } = await startLogins({
    onQuery: (writeError) => {
      asked++;
      writeError(refusal);
    },
  });
  return { port, asked: () => asked, close };
}

describe('a server that refuses even to be asked for its role', () => {
  it.each([1290, 1792, 1836])('with %i is asked once, and the caller is told', async (code) => {
    const server = await serve({ message: 'running with the --read-only option', code });
    pool = createPool({ host: 'localhost', port: server.port, user: 'u' });
    const { error } = await settled(pool.promise().query('insert into t values (1)'));
    expect([(error as { errno?: number }).errno, outcomeOf(error), server.asked()]).toEqual([code, 'unknown', 2]);
    server.close();
  });

  it('is used where a server that takes writes is wanted, since nothing says that it takes none', async () => {
    const server = await serve({ message: 'not supported', code: 1235 });
    pool = createPool({ host: 'localhost', port: server.port, user: 'u', failover: { role: 'writable' } });
    (await lease(pool)).release();
    expect(server.asked()).toBe(1);
    server.close();
  });
});

describe('of what fails before its connection has logged in, nothing was sent:', () => {
  it('a server that hangs up in the middle of the login', async () => {
    const server = net.createServer((peer) => peer.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    pool = createPool({ host: 'localhost', port, user: 'u' });
    expect(outcomeOf((await settled(pool.promise().query('insert into t values (1)'))).error)).toBe('not-sent');
    const connection = createConnection({ host: 'localhost', port, user: 'u' });
    connection.on('error', () => {});
    const queued = await settled(connection.promise().query('insert into t values (1)'));
    expect([queued.error?.code, outcomeOf(queued.error)]).toEqual(['PROTOCOL_CONNECTION_LOST', 'not-sent']);
    server.close();
  });
});
