import { CONNECTION, type LabConnection } from '../../src/lab/embedded-postgres.js';
import type { ServerProgram } from '../server-program.js';

/** Of the application, to a lab's PostgreSQL server and to a PgBouncer in front of it. */
export const LOGIN: LabConnection = CONNECTION;

/** PgBouncer in transaction mode in front of a server at this port of 127.0.0.1. */
export function pgBouncer(serverPort: number, settings: Readonly<Record<string, number>>): ServerProgram {
  return {
    name: 'pgbouncer',
    ready: 'process up',
    args: (folder) => [`${folder}/pgbouncer.ini`],
    files: ({ address, port, folder }) => ({
      'users.txt': `"${LOGIN.user}" "${LOGIN.password}"\n`,
      'pgbouncer.ini': `
        [databases]
        ${LOGIN.database} = host=127.0.0.1 port=${serverPort}
        [pgbouncer]
        listen_addr = ${address}
        listen_port = ${port}
        unix_socket_dir =
        auth_type = scram-sha-256
        auth_file = ${folder}/users.txt
        pool_mode = transaction
        server_login_retry = 1
        ${Object.entries(settings)
          .map(([name, value]) => `${name} = ${value}`)
          .join('\n        ')}
      `,
    }),
  };
}
