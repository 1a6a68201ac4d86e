import { isIP, Socket } from 'node:net';

/** What of the options of `net.connect` each attempt needs, beside the address. */
export interface Way {
  readonly port: number;
  /** The addresses of this family only; 0: of both. */
  readonly family: 0 | 4 | 6;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

type Given = Readonly<Record<'port' | 'family' | 'localAddress' | 'localPort', unknown>>;

/**
 * Reads the arguments of `socket.connect`: options, or a port and perhaps a host.
 * @throws what net throws
 */
export function readWay([first]: readonly unknown[]): Way {
  const given = (typeof first === 'object' && first !== null ? first : { port: first }) as Given;
  const { port, family, localAddress, localPort } = given;
  const local = typeof localAddress === 'string' && isIP(localAddress) !== 0 ? { localAddress } : {};
  const from = typeof localPort === 'number' ? { localPort } : {};
  const isPort = /^\d{1,5}$/.test(String(port)) && Number(port) <= 65_535;
  if (!isPort || (localAddress && !('localAddress' in local)) || (localPort && !('localPort' in from))) {
    refuseAsNet(given);
  }
  return { port: Number(port), family: family === 4 || family === 6 ? family : 0, ...local, ...from };
}

/** In net's own words, by one that waits for an answer that never comes. */
function refuseAsNet({ port, localAddress, localPort }: Given): void {
  const options = { port, localAddress, localPort, host: 'any', lookup: () => {} };
  const socket = new Socket();
  try {
    socket.connect(options as never);
  } finally {
    socket.destroy();
  }
}
