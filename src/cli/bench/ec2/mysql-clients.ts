import type { Pool } from 'mysql2/promise';
import type { RowDataPacket } from 'mysql2';
import type { LoadClient } from '../../failover/client.js';
import { type Ec2Target, serverOf } from './target.js';

/** A promise pool of mysql2, or one that is used like it. MySQL cannot tell where it wrote, so it only reads. */
export function mysqlClient(pool: Pool, { sql }: Ec2Target): LoadClient {
  const read = async (): Promise<number> => {
    const [rows] = await pool.query<(RowDataPacket & { server: number | null })[]>(sql.read);
    return serverOf(rows[0]);
  };
  return { read, write: read, close: () => pool.end() };
}
