import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { HeldWrites } from '../../src/sockets/held-writes.js';
import { settled } from '../fake-clock.js';

/** A stream that remembers what was written to it. */
class Sink extends Duplex {
  text = '';
  ended = false;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  override _final(done: () => void): void {
    this.ended = true;
    done();
  }

  get socket(): Socket {
    return this as unknown as Socket;
  }
}

describe('what is written before a socket is connected', () => {
  it('reaches the connected one in order, with its encodings and callbacks', async () => {
    const [held, sink] = [new HeldWrites(), new Sink()];
    const called: string[] = [];
    held.write(['a']);
    held.write([Buffer.from('b'), () => called.push('b')]);
    held.write(['63', 'hex', () => called.push('c')]);
    expect(sink.text).toBe('');
    held.flush(sink.socket);
    await settled();
    expect([sink.text, called, sink.ended]).toEqual(['abc', ['b', 'c'], false]);
  });

  it('is followed by the end, where the writer has ended', async () => {
    const [held, sink] = [new HeldWrites(), new Sink()];
    held.write(['a']);
    expect(held.end(sink.socket, ['z'])).toBe(sink);
    held.flush(sink.socket);
    await settled();
    expect([sink.text, sink.ended]).toEqual(['az', true]);
  });

  it('is written once', async () => {
    const [held, sink] = [new HeldWrites(), new Sink()];
    held.write(['a']);
    held.flush(sink.socket);
    held.flush(sink.socket);
    await settled();
    expect(sink.text).toBe('a');
  });

  it('tells its writer to wait at 16 KiB, and to go on when it has left', async () => {
    const [held, sink] = [new HeldWrites(), new Sink()];
    expect(held.write(['x'.repeat(16 * 1024 - 1)])).toBe(true);
    expect(held.write([Buffer.from('x')])).toBe(false);
    let drained = 0;
    sink.on('drain', () => drained++);
    held.flush(sink.socket);
    await settled();
    expect(drained).toBe(1);
  });

  it('tells nobody to go on who was not told to wait', async () => {
    const [held, sink] = [new HeldWrites(), new Sink()];
    held.write(['a']);
    let drained = 0;
    sink.on('drain', () => drained++);
    held.flush(sink.socket);
    await settled();
    expect(drained).toBe(0);
  });

  it('fails with the error of the socket that was never connected, each writer being told', async () => {
    const [held, sink] = [new HeldWrites(), new Sink()];
    const told: unknown[] = [];
    const failure = new Error('refused');
    held.write(['a', (error: unknown) => told.push(error)]);
    held.write(['b']);
    held.write(['c', 'utf8', (error: unknown) => told.push(error)]);
    held.fail(failure);
    expect(told).toEqual([]);
    await settled();
    expect(told).toEqual([failure, failure]);
    held.flush(sink.socket);
    await settled();
    expect(sink.text).toBe('');
  });

  it('fails with an error also where the socket was closed without one', async () => {
    const held = new HeldWrites();
    const told: unknown[] = [];
    held.write(['a', (error: unknown) => told.push(error)]);
    held.fail(undefined);
    await settled();
    expect(told).toMatchObject([{ message: 'the socket was closed before it was connected' }]);
  });
});
