import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** PostgreSQL's ErrorResponse. */
const ERROR = 'E'.charCodeAt(0);

/** In front of a PostgreSQL server: what follows an error comes in a packet of its own, and a little later. */
export async function errorsApart(port: number): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => {}).setNoDelay();
    client.pipe(upstream);
    upstream.on('data', (chunk) => passOn(chunk, client));
    upstream.on('end', () => client.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      await once(server, 'close');
    },
  };
}

/** Short answers come in whole messages. */
function passOn(chunk: Buffer, client: Socket): void {
  for (let at = 0; at + 5 <= chunk.length;) {
    const end = at + 1 + chunk.readUInt32BE(at + 1);
    if (chunk[at] === ERROR && end < chunk.length) {
      client.write(chunk.subarray(0, end));
      setTimeout(() => client.write(chunk.subarray(end)), 50);
      return;
    }
    at = end;
  }
  client.write(chunk);
}
