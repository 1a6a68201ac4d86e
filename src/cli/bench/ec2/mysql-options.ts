import { portOf } from '../../login.js';

/** A database URL in the options that mysql2 knows. */
export function mysqlOptions(url: URL): {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
} {
  return {
    host: url.hostname,
    port: portOf(url),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
  };
}
