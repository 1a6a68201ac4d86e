import { serve } from '../../../src/cli/failover/rpc.js';
import { Member, type Mode, type Name } from './member.js';

/** Many simulated processes in one real one. */
export interface CrowdMethods {
  /** Resolves when every connection of each is up. */
  open(argument: Crowd): Promise<void>;
  /** The name points elsewhere from now on. */
  move(address: string): Promise<void>;
  /** Resolves when all are up again, or after so long. */
  back(argument: { readonly withinMillis: number }): Promise<Back>;
}

export interface Crowd {
  readonly mode: Mode;
  readonly processes: number;
  readonly connections: number;
  readonly address: string;
  readonly port: number;
}

export interface Back {
  /** Since the move: when each process had its first connection and when its last; those that had none are left out. */
  readonly firsts: readonly number[];
  readonly lasts: readonly number[];
}

let members: readonly Member[] = [];
let crowd: Crowd | undefined;
let name: Name | undefined;
let movedAt = 0;
let missing = 0;
let whenUp: () => void = () => {};

async function allUp(): Promise<void> {
  if (missing > 0) await new Promise<void>((resolve) => (whenUp = resolve));
}

const methods: CrowdMethods = {
  async open(given) {
    crowd = given;
    const own = { address: given.address };
    name = own;
    missing = given.processes * given.connections;
    const onUp = (): void => {
      if (--missing === 0) whenUp();
    };
    members = Array.from(
      { length: given.processes },
      () => new Member(given.mode, { name: own, port: given.port }, given.connections, onUp),
    );
    await allUp();
  },
  async move(address) {
    missing = members.length * crowd!.connections;
    for (const member of members) member.forget();
    movedAt = performance.now();
    name!.address = address;
  },
  async back({ withinMillis }) {
    const late = new Promise((resolve) => setTimeout(resolve, movedAt + withinMillis - performance.now()));
    await Promise.race([allUp(), late]);
    const since = (moment: number): number => moment - movedAt;
    const full = members.filter(({ ups }) => ups.length >= crowd!.connections);
    return {
      firsts: members.flatMap(({ ups }) => (ups.length === 0 ? [] : [since(ups[0]!)])),
      lasts: full.map(({ ups }) => since(ups.at(-1)!)),
    };
  },
};

serve<CrowdMethods>(methods, async () => {
  for (const member of members) member.close();
});
