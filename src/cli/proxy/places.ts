import { isIP } from 'node:net';
import path from 'node:path';
import { readName } from '../../endpoint/name.js';
import { invalidOption } from '../../options.js';

/** Where the proxy listens. */
export type Listen =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** What a route leads to. */
export interface Target {
  readonly name: string;
  readonly port: number;
}

const LISTEN = `'ADDRESS:PORT' such as '127.0.0.1:5432' or '[::1]:5432', or the absolute path of a Unix socket`;
const TARGET = `'NAME:PORT' such as 'db.example.com:5432'`;

/** @throws `INVALID_OPTION` with this name of the option */
export function readListen(text: unknown, option: string): Listen {
  if (typeof text !== 'string') throw invalidOption(option, LISTEN, text);
  const file = text.startsWith('unix:') ? text.slice('unix:'.length) : text;
  if (path.isAbsolute(file)) return { kind: 'unix', path: file };
  const place = readTcp(text);
  if (place === null) throw invalidOption(option, LISTEN, text);
  return { kind: 'tcp', ...place };
}

/** A place for HTTP: no Unix socket. @throws `INVALID_OPTION` with this name of the option */
export function readAdmin(text: unknown, option: string): Extract<Listen, { kind: 'tcp' }> {
  const place = typeof text === 'string' ? readTcp(text) : null;
  if (place === null) throw invalidOption(option, `'ADDRESS:PORT' such as '127.0.0.1:9180'`, text);
  return { kind: 'tcp', ...place };
}

/** @throws `INVALID_OPTION` with this name of the option, or for a name that is none */
export function readTarget(text: unknown, option: string): Target {
  const [, name, digits] = (typeof text === 'string' ? /^([^:]+):(\d+)$/.exec(text) : null) ?? [];
  const port = Number(digits);
  if (name === undefined || port < 1 || port > 65_535) throw invalidOption(option, TARGET, text);
  return { name: readName(name), port };
}

/** As it is written in a config. */
export function placeText(place: Listen): string {
  if (place.kind === 'unix') return place.path;
  return place.host.includes(':') ? `[${place.host}]:${place.port}` : `${place.host}:${place.port}`;
}

/** Port 0 is any free one, as for `net`. */
function readTcp(text: string): { readonly host: string; readonly port: number } | null {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d+)$/.exec(text) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  if (host === undefined || port > 65_535) return null;
  if (bracketed !== undefined ? isIP(host) !== 6 : isIP(host) !== 4 && host !== 'localhost') return null;
  return { host, port };
}
