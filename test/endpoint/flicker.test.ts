import { describe, expect, it } from 'vitest';
import type { Reply } from '../../src/sockets/connection.js';
import type { ProbeSocket } from '../../src/sockets/probe-socket.js';
import { FakeProber, type Wire } from '../sockets/fake-prober.js';
import { A, B, C, Followed, ScriptedResolver, serviceAt } from './scripted-resolver.js';

function prober(wire: Wire, login: () => Promise<Reply> = () => new Promise(() => {})): FakeProber {
  const made = new FakeProber(5_432, wire, 1_000);
  made.reply = login;
  return made;
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
      followed.endpoint.report(serviceAt(B), condition, new Error(condition));
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
    followed.endpoint.report(serviceAt(B), 'dead', new Error('no reply'));
    expect(followed.addresses).toEqual([A]);
  });

  it('happens where the endpoint itself finds that the server at the present address answers nothing', async () => {
    const followed = new Followed();
    followed.endpoint.register(prober('lost'));
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    expect(followed.addresses).toEqual([B]);
    await followed.clock.advance(2_000);
    expect(followed.addresses).toEqual([A]);
  });

  it.each<[string, Wire, () => Promise<Reply>]>([
    ['a reply to a login', 'byte', async () => 'usable'],
    ['a byte, though the login takes long on this side', 'byte', () => new Promise(() => {})],
    ['a byte, though the login fails on this side', 'byte', () => Promise.reject(new Error('no token'))],
    ['a failure on this side', 'given up', () => Promise.reject(new Error('no token'))],
    ['a want of file descriptors', { code: 'EMFILE' }, () => Promise.reject(new Error('EMFILE'))],
  ])('is held where the question at the present address gets %s', async (_what, wire, login) => {
    const followed = new Followed();
    const asking = prober(wire, login);
    followed.endpoint.register(asking);
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(5_000);
    expect(followed.addresses).toEqual([B]);
    expect(new Set(asking.sockets.map((socket) => (socket as ProbeSocket).dialled))).toEqual(new Set([B]));
  });

  it.each([
    ['read-only', 2_200, 'comes'],
    ['starting', 2_200, 'comes'],
    ['refusing', 2_200, 'comes'],
    ['usable', 9_000, 'stays'],
  ] as const)('goes by what a log-in says: %s, and %d ms later the endpoint %s', async (reply, millis, what) => {
    const followed = new Followed();
    followed.endpoint.register(prober('byte', async () => reply));
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
    followed.endpoint.report(serviceAt(B), 'dead', new Error('no reply'));
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
    followed.endpoint.report(serviceAt(B), 'dead', new Error('no reply'));
    expect(followed.addresses).toEqual([A]);
  });

  it('counts how long it was named up to the last answer, not up to the failure', async () => {
    const followed = new Followed([A], { lookupTimeoutMillis: 10_000 });
    await followed.movedOn();
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    followed.source.says = 'nothing';
    await followed.clock.advance(3_000);
    followed.endpoint.report(serviceAt(B), 'refusing', new Error('refused'));
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
    followed.endpoint.report(serviceAt(B), condition, new Error(condition));
    followed.endpoint.noteLife(serviceAt(B));
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

  it('is held too where the address had not been there for long', async () => {
    const followed = new Followed();
    await followed.start();
    await followed.clock.advance(5_000);
    followed.source.says = [B];
    await followed.clock.advance(1_000);
    followed.source.says = [A];
    await followed.clock.advance(9_000);
    expect(followed.addresses).toEqual([B]);
    await followed.clock.advance(3_000);
    expect(followed.addresses).toEqual([A]);
  });

  it('happens within 6 s where the server was in use and refuses since, though the name flickers', async () => {
    const followed = new Followed();
    await followed.movedOn();
    followed.endpoint.report(serviceAt(B), 'usable');
    followed.endpoint.report(serviceAt(B), 'refusing', new Error('ECONNREFUSED'));
    for (let tenth = 0; tenth < 60; tenth++) {
      followed.source.says = tenth % 2 === 0 ? [A] : [B];
      await followed.clock.advance(100);
    }
    expect(followed.told('move')).toMatchObject([{ to: [B] }, { to: [A] }]);
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

describe('an endpoint that starts while the name flickers', () => {
  it('moves once', async () => {
    const followed = new Followed();
    await followed.start();
    for (let second = 0; second < 30; second++) {
      followed.source.says = second % 2 === 0 ? [B] : [A];
      await followed.clock.advance(1_000);
    }
    expect(followed.told('move')).toMatchObject([{ from: [A], to: [B] }]);
    expect(followed.told('warning')).toEqual([]);
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

  it('gets it too where it has so few addresses that it stays at one of them', async () => {
    const followed = new Followed();
    await followed.start();
    for (let second = 0; second < 80; second++) {
      followed.source.says = [[A, B, C][second % 3]!];
      await followed.clock.advance(1_000);
    }
    expect(followed.told('move').length).toBeLessThan(5);
    expect(followed.told('warning')).toMatchObject([{ code: 'ROTATING' }]);
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
