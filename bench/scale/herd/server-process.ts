import { serve } from '../../../src/cli/failover/rpc.js';
import { type Figures, SlowServer } from './slow-server.js';

/** One server in a process of its own, so that its end is a server's end. */
export interface ServerMethods {
  /** Resolves to the port; 0 is any. */
  listen(argument: { readonly address: string; readonly port: number; readonly perSecond: number }): Promise<number>;
  figures(): Promise<Figures>;
}

let server: SlowServer | undefined;

serve<ServerMethods>(
  {
    async listen({ address, port, perSecond }) {
      server = new SlowServer(perSecond);
      return await server.listen(port, address);
    },
    async figures() {
      return server!.figures;
    },
  },
  async () => {},
);
