import type { ServerProgram } from '../server-program.js';

export /** A broker that speaks RabbitMQ's AMQP 0-9-1. Without these sizes it does not start. */
const GARAGEMQ: ServerProgram = {
  name: 'garagemq',
  ready: 'Initialize bindings',
  args: (folder) => ['--config', `${folder}/config.yaml`],
  files: ({ address, port, folder }) => ({
    'config.yaml': `
proto: amqp-rabbit
users: [{ username: guest, password: 084e0343a0486ff05530df6c705c8bb4 }]
tcp: { ip: ${address}, port: ${port}, nodelay: true, readBufSize: 196608, writeBufSize: 196608 }
admin: { ip: ${address}, port: 0 }
queue: { shardSize: 8192, maxMessagesInRam: 131072 }
db: { defaultPath: ${folder}, engine: buntdb }
vhost: { defaultPath: / }
security: { passwordCheck: md5 }
connection: { channelsMax: 4096, frameMaxSize: 65536 }
`,
  }),
};

export const REDIS: ServerProgram = {
  name: 'redis-server',
  ready: 'Ready to accept connections',
  args: (folder) => [`${folder}/redis.conf`],
  files: ({ address, port, folder }) => ({
    'redis.conf': `bind ${address}\nport ${port}\ndir ${folder}\nsave ""\nappendonly no\n`,
  }),
};
