import { createServer, type Server } from 'node:net';

const [PRELOGIN, LOGIN, REPLY, LAST] = [0x12, 0x10, 0x04, 0x01];
const HEADER = 8;

/** As much of SQL Server's protocol as it takes to log in: there is no SQL Server to be had for the tests. */
export function tdsServer(): Server {
  return createServer((socket) => {
    let read: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      read = Buffer.concat([read, chunk]);
      while (read.length >= HEADER && read.length >= read.readUInt16BE(2)) {
        const kind = read.readUInt8(0);
        socket.write(packet(kind === PRELOGIN ? prelogin : kind === LOGIN ? Buffer.concat([loggedIn, done]) : done));
        read = read.subarray(read.readUInt16BE(2));
      }
    });
  });
}

function packet(body: Buffer): Buffer {
  const head = Buffer.from([REPLY, LAST, 0, 0, 0, 0, 1, 0]);
  head.writeUInt16BE(HEADER + body.length, 2);
  return Buffer.concat([head, body]);
}

/** Its version, and that it knows no encryption. */
const prelogin = Buffer.from([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2]);
/** LOGINACK: SQL, TDS 7.4, a name of one letter, a version. */
const loggedIn = Buffer.from([0xad, 12, 0, 1, 0x74, 0, 0, 4, 1, 0x53, 0, 16, 0, 0, 0]);
const done = Buffer.concat([Buffer.from([0xfd]), Buffer.alloc(12)]);
