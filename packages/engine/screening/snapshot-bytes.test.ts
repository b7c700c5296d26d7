import { expect, test } from 'vitest';
import { SnapshotReader, SnapshotWriter } from './snapshot.ts';

function written(): { bytes: Uint8Array; places: { at: number; length: number }[] } {
  const writer = new SnapshotWriter();
  const places = [writer.add(Float64Array.of(1, 2.5, NaN)), writer.add(new Float64Array(0)), writer.add(Float64Array.of(-0, Infinity))];
  return { bytes: writer.finish({ name: 'größer', places }), places };
}

test.each([0, 1, 3, 8])('numbers and header come back to the bit, from bytes that lie %i bytes into somebody\'s memory', (offset) => {
  const { bytes, places } = written();
  const memory = new Uint8Array(offset + bytes.length + 5);
  memory.set(bytes, offset);
  const reader = new SnapshotReader(memory.subarray(offset, offset + bytes.length));
  expect(reader.header).toEqual({ name: 'größer', places });
  expect(places.map((place) => [...reader.at(place)])).toEqual([[1, 2.5, NaN], [], [-0, Infinity]]);
});

test('one changed byte, a missing end and another layout are refused', () => {
  const { bytes } = written();
  for (let index = 0; index < bytes.length; index++) {
    const harmed = Uint8Array.from(bytes);
    harmed[index]! ^= 1;
    expect(() => new SnapshotReader(harmed), String(index)).toThrow('cannot be read');
  }
  expect(() => new SnapshotReader(bytes.subarray(0, -8))).toThrow('torn or damaged');
});
