import { Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import type { Prober, Reply } from '../../src/sockets/connection.js';
import { A, B, C, Followed, ScriptedResolver } from './scripted-resolver.js';

const prober = (login: Prober['login']): Prober => ({ port: 5_432, timeoutMillis: 1_000, login });

/** The address that a probe's socket dials, though nothing is sent. */
function dialledBy(socket: Socket): string {
  const connect = vi.spyOn(Socket.prototype, 'connect').mockReturnThis();
  socket.connect(5_432, 'db.example.com');
  const [options] = connect.mock.calls[0] as unknown as [{ host: string }];
  connect.mockRestore();
  return options.host;
}

describe('a return to an address that was left', () => {
  it('is held while the new address works: a flickering name moves once', async () => {
    const followed = new Followed();
    await followed.movedOn();
    for (let second = 0; second < 40; second++) {
      followed.source.says = second % 3 === 2 ? [B] : [A];
      await followed.clock.advance(1_000);
      expect(followed.addresses).toEqual([B]);
    }
    expect(followed.told('move')).toMatchObject([{ from: [A], to: [B] }]);
    expect(followed.endpoint.snapshot().quarantined).toEqual([A]);
  });

  it('happens when every answer of every source has named it for returnAfterMillis', async () => {
    const followed = new Followed();
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(10_050);
    expect(followed.addresses).toEqual([B]);
    await followed.clock.advance(1_000);
    expect(followed.addresses).toEqual([A]);
    expect(followed.endpoint.generation).toBe(2);
  });

  it.each(['refusing', 'starting', 'read-only'] as const)(
    'happens after 2 s where the server at the present address is %s',
    async (condition) => {
      const followed = new Followed();
      await followed.movedOn();
      followed.source.says = [A];
      followed.endpoint.report(B, condition, new Error(condition));
      await followed.clock.advance(1_900);
      expect(followed.addresses).toEqual([B]);
      await followed.clock.advance(200);
      expect(followed.addresses).toEqual([A]);
    },
  );

  it('happens at once where the present address is dead', async () => {
    const followed = new Followed();
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    expect(followed.addresses).toEqual([B]);
    followed.endpoint.report(B, 'dead', new Error('no reply'));
    expect(followed.addresses).toEqual([A]);
  });

  it('happens at once where the endpoint itself finds the present address dead', async () => {
    const followed = new Followed();
    followed.endpoint.register(prober(() => Promise.reject(new Error('ECONNREFUSED'))));
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    expect(followed.addresses).toEqual([A]);
  });

  it('is held where a log-in at the present address gets a reply', async () => {
    const followed = new Followed();
    const asked: string[] = [];
    followed.endpoint.register(prober(async (socket) => (asked.push(dialledBy(socket)), 'usable')));
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(5_000);
    expect(followed.addresses).toEqual([B]);
    // Ever less often while the reply is that all is well.
    expect(asked).toEqual([B, B]);
  });

  it.each([
    ['read-only', 2_200, 'comes'],
    ['starting', 2_200, 'comes'],
    ['refusing', 2_200, 'comes'],
    ['usable', 9_000, 'stays'],
  ] as const)('goes by what a log-in says: %s, and %d ms later the endpoint %s', async (reply, millis, what) => {
    const followed = new Followed();
    followed.endpoint.register(prober(async (): Promise<Reply> => reply));
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    expect(followed.addresses).toEqual([B]);
    await followed.clock.advance(millis);
    expect(followed.addresses).toEqual([what === 'comes' ? A : B]);
  });

  it('does not happen for the sake of an answer whose source has failed since', async () => {
    const followed = new Followed();
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    followed.source.says = new Error('SERVFAIL');
    await followed.clock.advance(1_000);
    followed.endpoint.report(B, 'dead', new Error('no reply'));
    expect(followed.addresses).toEqual([B]);
  });

  it('is held still where a source that agrees with the move fails', async () => {
    const others: ScriptedResolver[] = [];
    const followed = new Followed([A], {}, (clock) => {
      others.push(new ScriptedResolver(clock, new Error('SERVFAIL'), { name: 'api' }));
      return others;
    });
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    followed.endpoint.report(B, 'dead', new Error('no reply'));
    expect(followed.addresses).toEqual([A]);
  });

  it('counts how long it was named up to the last answer, not up to the failure', async () => {
    const followed = new Followed([A], { lookupTimeoutMillis: 10_000 });
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    followed.source.says = 'nothing';
    await followed.clock.advance(3_000);
    followed.endpoint.report(B, 'refusing', new Error('refused'));
    expect(followed.addresses).toEqual([B]);
    followed.source.questions.at(-1)!.answer(A);
    await followed.clock.advance(0);
    expect(followed.addresses).toEqual([A]);
  });

  it.each([
    ['read-only', [A]],
    ['refusing', [B]],
    ['starting', [B]],
  ] as const)('where the present server is %s and shows life ends at %j', async (condition, where) => {
    const followed = new Followed();
    await followed.movedOn();
    followed.source.says = [A];
    followed.endpoint.report(B, condition, new Error(condition));
    followed.endpoint.noteLife(B);
    await followed.clock.advance(4_000);
    expect(followed.addresses).toEqual(where);
  });

  it('happens by refresh()', async () => {
    const followed = new Followed();
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    expect((await followed.endpoint.refresh()).addresses).toEqual([A]);
  });

  it('is free once quarantineMillis are over', async () => {
    const followed = new Followed();
    await followed.movedOn();
    await followed.clock.advance(60_000);
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    expect(followed.addresses).toEqual([A]);
  });

  it('is free at any time where quarantineMillis is 0', async () => {
    const followed = new Followed([A], { quarantineMillis: 0 });
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    expect(followed.addresses).toEqual([A]);
  });

  it('is free where the address had not been there for long', async () => {
    const followed = new Followed();
    await followed.start();
    await followed.clock.advance(5_000);
    followed.source.says = [B];
    await followed.clock.advance(1_000);
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    expect(followed.addresses).toEqual([A]);
  });

  it('does not stand in the way of a third address', async () => {
    const followed = new Followed();
    await followed.movedOn();
    followed.source.says = [C];
    await followed.clock.advance(1_000);
    expect(followed.addresses).toEqual([C]);
  });

  it('shows its verdict with each answer', async () => {
    const followed = new Followed();
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    const verdicts = followed.told('answer').map((told) => (told as { verdict: string }).verdict);
    expect([verdicts[0], verdicts[1], verdicts.at(-2), verdicts.at(-1)]).toEqual([
      'adopted',
      'confirmed',
      'adopted',
      'held',
    ]);
  });
});

describe('a second source that lags', () => {
  it('does not pull the endpoint back, however long it lags', async () => {
    const others: ScriptedResolver[] = [];
    const followed = new Followed([A], {}, (clock) => {
      others.push(new ScriptedResolver(clock, [A], { name: 'api' }));
      return others;
    });
    await followed.movedOn();
    await followed.clock.advance(40_000);
    expect(others[0]!.count).toBeGreaterThan(40);
    expect(followed.told('move')).toMatchObject([{ from: [A], to: [B], source: 'scripted' }]);
    others[0]!.says = [B];
    await followed.clock.advance(30_000);
    expect(followed.addresses).toEqual([B]);
    expect(followed.endpoint.generation).toBe(1);
  });

  it('does not either when it agrees and then remembers the old address once more', async () => {
    const others: ScriptedResolver[] = [];
    const followed = new Followed([A], {}, (clock) => {
      others.push(new ScriptedResolver(clock, [A], { name: 'api' }));
      return others;
    });
    await followed.movedOn();
    for (const says of [[B], [A], [B], [A], [A], [B]]) {
      others[0]!.says = says;
      await followed.clock.advance(2_000);
    }
    expect(followed.endpoint.generation).toBe(1);
  });
});

describe('mode set', () => {
  const set = { mode: 'set' as const };

  it('holds valid what any answer has named within returnAfterMillis', async () => {
    const followed = new Followed([A], set);
    await followed.start();
    for (let second = 0; second < 30; second++) {
      followed.source.says = [[A, B, C][second % 3]!];
      await followed.clock.advance(1_000);
    }
    expect(followed.addresses.toSorted()).toEqual([A, B, C]);
    expect(followed.told('move')).toEqual([]);
    expect(followed.told('warning')).toEqual([]);
  });

  it('drops an address that has not been named for that long, which is a move', async () => {
    const followed = new Followed([A, B], set);
    await followed.start();
    followed.source.says = [B];
    await followed.clock.advance(10_000);
    expect(followed.addresses).toEqual([A, B]);
    await followed.clock.advance(1_100);
    expect(followed.addresses).toEqual([B]);
    expect(followed.told('move')).toMatchObject([{ from: [A, B], to: [B], generation: 1 }]);
    // And nothing is quarantined.
    followed.source.says = [A, B];
    await followed.clock.advance(1_000);
    expect(followed.addresses.toSorted()).toEqual([A, B]);
  });

  it('takes a refresh() at its word', async () => {
    const followed = new Followed([A, B], set);
    await followed.start();
    await followed.clock.advance(500);
    followed.source.says = [C];
    expect((await followed.endpoint.refresh()).addresses).toEqual([C]);
  });
});

describe('a single name that keeps rotating', () => {
  it('gets one warning, which names the option', async () => {
    const followed = new Followed();
    await followed.start();
    for (let second = 0; second < 60; second++) {
      followed.source.says = [`10.0.0.${second % 7}`];
      await followed.clock.advance(1_000);
    }
    const warnings = followed.told('warning');
    expect(warnings).toMatchObject([{ code: 'ROTATING' }]);
    expect((warnings[0] as { message: string }).message).toContain("mode: 'set'");
  });

  it('gets none for a few moves, or for many far apart', async () => {
    const followed = new Followed();
    await followed.start();
    for (let move = 0; move < 12; move++) {
      followed.source.says = [`10.0.1.${move}`];
      await followed.clock.advance(16_000);
    }
    expect(followed.endpoint.generation).toBe(12);
    expect(followed.told('warning')).toEqual([]);
  });
});
