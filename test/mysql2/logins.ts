import { once } from 'node:events';
import type net from 'node:net';
import type { AddressInfo } from 'node:net';
import mysql2 from 'mysql2';

/** What mysql2's types leave out. */
interface ServerConnection {
  sequenceId: number;
  handlePacket(packet?: { sequenceId: number }): void;
  serverHandshake(options: object): void;
  writeError(error: object): void;
  on(event: 'error' | 'query', listener: () => void): void;
}

export interface LoginsOptions {
  /** By default everybody is let in at once. */
  readonly onLogin?: (letIn: () => void) => void;
  readonly onQuery?: (writeError: (error: { message: string; code: number }) => void) => void;
}

/** mysql2's own server, without a database: it decides when somebody is let in, and what a statement is told. */
export async function startLogins(options: LoginsOptions): Promise<{ readonly port: number; close(): void }> {
  const { onLogin = (letIn) => letIn(), onQuery = () => {} } = options;
  const server = mysql2.createServer(() => {});
  server.on('connection', (given) => {
    const connection = given as unknown as ServerConnection;
    connection.on('error', () => {});
    connection.on('query', () => onQuery((error) => connection.writeError(error)));
    onLogin(() => letIn(connection));
  });
  server.listen(0);
  const { _server: inside } = server as unknown as { _server: net.Server };
  await once(inside, 'listening');
  return { port: (inside.address() as AddressInfo).port, close: () => inside.close() };
}

function letIn(connection: ServerConnection): void {
  const [COMPRESS, SSL] = [0x20, 0x8_00];
  connection.serverHandshake({
    protocolVersion: 10,
    serverVersion: '8.0.0',
    connectionId: 1,
    statusFlags: 2,
    characterSet: 8,
    capabilityFlags: 0xff_ff_ff ^ COMPRESS ^ SSL,
  });
  // mysql2's server forgets that each command begins anew, and prints that its client does not.
  const { handlePacket } = connection;
  connection.handlePacket = (packet) => {
    if (packet !== undefined) connection.sequenceId = packet.sequenceId;
    handlePacket.call(connection, packet);
  };
}
