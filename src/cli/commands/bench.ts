import { MISUSED, type ForeignCommand } from '../command.js';

/** The others of this project need its sources: `npm run bench:overhead`, `npm run bench:sockets`. */
export const bench: ForeignCommand = {
  name: 'bench',
  summary: 'measure failovers: bench failover [--quick], any client against the bare limit',
  async runForeign(argv) {
    const [which, ...rest] = argv;
    if (which !== 'failover') {
      const got = which === undefined ? 'nothing' : `'${which}'`;
      process.stderr.write(`bench: expected 'failover', got ${got}; bench failover --help tells more\n`);
      return which === '--help' || which === '-h' ? 0 : MISUSED;
    }
    if (rest.includes('--ec2')) {
      const { runBenchOnEc2 } = await import('../bench/ec2/bench-on-ec2.js');
      return await runBenchOnEc2(rest);
    }
    const { runBenchFailover } = await import('../bench/failover.js');
    return await runBenchFailover(rest);
  },
};
