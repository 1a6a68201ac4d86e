import type { Protocol } from './wire.js';

const QUIT = 0x01;
const PREPARE = 0x16;
const LONG_DATA = 0x18;
const CLOSE_STATEMENT = 0x19;
const [OK, EOF, ERROR] = [0x00, 0xfe, 0xff];
/** In the status of a result: another one follows. */
const MORE_RESULTS = 0x0008;

/** What the server says next. */
type Expected = 'nothing' | 'login' | 'header' | 'fields' | 'rows' | 'prepared' | 'definitions';

/** MySQL's without TLS, compression and LOCAL INFILE, and with an EOF packet after fields and after rows. */
export class MysqlProtocol implements Protocol {
  readonly #client: Packets = new Packets();
  readonly #server: Packets = new Packets();
  #expected: Expected = 'login';
  /** Lists of definitions that follow a prepared statement, each with an EOF packet. */
  #lists = 0;
  over: boolean = false;

  get greeting(): boolean {
    return this.#expected === 'login';
  }

  get owed(): boolean {
    return this.#expected !== 'nothing';
  }

  fromClient(bytes: Buffer): void {
    for (const { body, number } of this.#client.read(bytes)) {
      if (number !== 0 || this.greeting) continue;
      const [command] = body;
      if (command === QUIT) this.over = true;
      else if (command === PREPARE) this.#expected = 'prepared';
      else if (command !== CLOSE_STATEMENT && command !== LONG_DATA) this.#expected = 'header';
    }
  }

  fromServer(bytes: Buffer): void {
    for (const { body, number } of this.#server.read(bytes)) this.#expected = this.#next(body, number);
  }

  #next(body: Buffer, number: number): Expected {
    const [first] = body;
    if (first === ERROR) return 'nothing';
    const isEof = first === EOF && body.length < 9;
    switch (this.#expected) {
      case 'login':
        // The first packet is the greeting; in between there may be more of the login.
        return first === OK && number > 0 ? 'nothing' : 'login';
      case 'header':
        if (first === OK) return isLast(body.readUInt16LE(afterCounts(body))) ? 'nothing' : 'header';
        return isEof ? 'nothing' : 'fields';
      case 'fields':
        return isEof ? 'rows' : 'fields';
      case 'rows':
        if (!isEof) return 'rows';
        return isLast(body.readUInt16LE(3)) ? 'nothing' : 'header';
      case 'prepared':
        this.#lists = Number(body.readUInt16LE(5) > 0) + Number(body.readUInt16LE(7) > 0);
        return this.#lists === 0 ? 'nothing' : 'definitions';
      case 'definitions':
        if (isEof) this.#lists--;
        return this.#lists === 0 ? 'nothing' : 'definitions';
      case 'nothing':
        return 'nothing';
    }
  }
}

function isLast(status: number): boolean {
  return (status & MORE_RESULTS) === 0;
}

/** In an OK packet the status comes after two numbers of variable length. */
function afterCounts(body: Buffer): number {
  const lengthAt = (at: number): number => ({ 0xfc: 3, 0xfd: 4, 0xfe: 9 })[body[at]!] ?? 1;
  const second = 1 + lengthAt(1);
  return second + lengthAt(second);
}

class Packets {
  #rest: Buffer = Buffer.alloc(0);

  *read(bytes: Buffer): Generator<{ readonly body: Buffer; readonly number: number }> {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 4) {
      const end = 4 + this.#rest.readUIntLE(0, 3);
      if (this.#rest.length < end) return;
      const number = this.#rest[3]!;
      const body = this.#rest.subarray(4, end);
      this.#rest = this.#rest.subarray(end);
      yield { body, number };
    }
  }
}
