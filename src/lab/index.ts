export type { Database, DatabaseContext, DatabaseFactory, LabConnection } from './database.js';
export type { DnsMode, DnsModeName } from './dns-modes.js';
export type { DnsQuery, DnsServer } from './dns-server.js';
export type { PostgresOptions } from './embedded-postgres.js';
export type { HostFault, LabHost } from './host.js';
export { Lab, type LabMove, startLab } from './lab.js';
export type { LabOptions } from './options.js';
