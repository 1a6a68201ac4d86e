import { createServer, type Server, type Socket } from 'node:net';
import { BSON } from 'mongodb';

const [OP_REPLY, OP_QUERY, OP_MSG] = [1, 2004, 2013];
const HEADER = 16;

/**
 * As much of MongoDB's wire protocol as its driver needs to connect, watch the server and run a command. There is no `mongod`
 * to be had from npm, Debian or PyPI; what is tested here is what the driver does with its sockets. `{ sleep: 1 }` is never
 * answered.
 */
export function mongoServer(): Server {
  return createServer((socket) => {
    let read: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      read = Buffer.concat([read, chunk]);
      while (read.length >= HEADER && read.length >= read.readInt32LE(0)) {
        const length = read.readInt32LE(0);
        answer(socket, read.subarray(0, length));
        read = read.subarray(length);
      }
    });
  });
}

function answer(socket: Socket, message: Buffer): void {
  const [id, kind] = [message.readInt32LE(4), message.readInt32LE(12)];
  if (kind === OP_QUERY) {
    // Its first question is asked in the old way: flags, cursor, from, one document.
    const head = Buffer.alloc(20);
    head.writeInt32LE(1, 16);
    socket.write(packet(id, OP_REPLY, Buffer.concat([head, BSON.serialize(HELLO)])));
    return;
  }
  // Flags, and the kind of the only section.
  const command = BSON.deserialize(message.subarray(HEADER + 5));
  if ('sleep' in command) return;
  socket.write(packet(id, OP_MSG, Buffer.concat([Buffer.alloc(5), BSON.serialize(HELLO)])));
}

function packet(to: number, kind: number, body: Buffer): Buffer {
  const head = Buffer.alloc(HEADER);
  head.writeInt32LE(HEADER + body.length, 0);
  head.writeInt32LE(to, 8);
  head.writeInt32LE(kind, 12);
  return Buffer.concat([head, body]);
}

const HELLO = {
  ismaster: true,
  isWritablePrimary: true,
  helloOk: true,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  localTime: new Date(0),
  minWireVersion: 0,
  maxWireVersion: 21,
  readOnly: false,
  ok: 1,
};
