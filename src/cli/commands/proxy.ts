import { type Command, OK } from '../command.js';
import { Proxy } from '../proxy/proxy.js';
import { PROXY_OPTIONS, readProxySettings } from '../proxy/settings.js';

/** As many routes as a command line can be read with; a file may have more. */
const MOST_TARGETS = 100;

export const proxy: Command = {
  name: 'proxy',
  usage: '--listen ADDRESS:PORT NAME:PORT [options]',
  summary: 'a TCP proxy that follows a name, for clients that are not Node',
  examples: [
    'proxy --listen 127.0.0.1:5432 db.example.com:5432 --protocol postgres',
    'proxy --listen /run/eip-pool/.s.PGSQL.5432 db.example.com:5432 --admin 127.0.0.1:9180',
    'proxy --listen 127.0.0.1:5432 db.example.com:5432 --listen 127.0.0.1:6379 cache.example.com:6379',
    'proxy --config /etc/eip-pool/proxy.json',
  ],
  options: PROXY_OPTIONS,
  maxPositionals: MOST_TARGETS,
  async run(args, { output, signal }) {
    await new Proxy(await readProxySettings(args), output).run(signal);
    return OK;
  },
};
