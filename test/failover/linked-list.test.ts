import { expect, it } from 'vitest';
import { LinkedList, Place } from '../../src/failover/linked-list.js';

class Named extends Place {
  readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
  }
}

function listOf(...names: readonly string[]): { list: LinkedList<Named>; places: readonly Named[] } {
  const list = new LinkedList<Named>();
  const places = names.map((name) => new Named(name));
  for (const place of places) list.push(place);
  return { list, places };
}

it('an iteration goes on with what is there, whatever is removed or comes meanwhile', () => {
  const { list, places } = listOf('one', 'two', 'three', 'four');
  const seen: string[] = [];
  for (const place of list) {
    seen.push(place.name);
    if (place.name === 'two') for (const each of places.slice(0, 3)) list.remove(each);
    if (place.name === 'four') list.push(new Named('five'));
  }
  expect(seen).toEqual(['one', 'two', 'four', 'five']);
  expect([...list].map(({ name }) => name)).toEqual(['four', 'five']);
});

it('what was removed holds nobody: an old one would keep all that came after it in memory', () => {
  const { list, places } = listOf('one', 'two', 'three');
  const [one, two] = places;
  list.remove(two!);
  list.shift();
  expect([one, two].map((place) => [place!.before, place!.after, place!.list])).toEqual([
    [null, null, null],
    [null, null, null],
  ]);
  expect([list.length, list.first?.name, list.last?.name]).toEqual([1, 'three', 'three']);
});
