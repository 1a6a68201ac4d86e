import { expect, it } from 'vitest';
import { isReadOnlyRow } from '../../src/mysql2/role.js';

it.each([
  ['MySQL and MariaDB to 11, writable', { server: 0, engine: 0 }, false],
  ['read_only or super_read_only', { server: 1, engine: 0 }, true],
  ['an Aurora reader', { server: 0, engine: 1 }, true],
  ['with strings for big numbers', { server: '1', engine: '0' }, true],
  ['MariaDB 12, writable', { server: 'OFF', engine: 0 }, false],
  ['MariaDB 12', { server: 'NO_LOCK', engine: 0 }, true],
  ['a proxy that answers nothing', undefined, false],
])('the role of %s', (_, row, readOnly) => {
  expect(isReadOnlyRow(row)).toBe(readOnly);
});
