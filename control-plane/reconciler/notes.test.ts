import { expect, test } from 'vitest';
import type { MachinePatch, MachineRow, NewEvent, NewSecret } from '../database/rows.ts';
import { LeaseLost } from './act.ts';
import { Notes } from './notes.ts';

const ROW = { id: 'm', fence: 3, generation: 1, phase: 'requested', fly_app: null } as unknown as MachineRow;
const event = (message: string): NewEvent => ({ kind: 'step', message });

interface Written { patch: MachinePatch; events: readonly NewEvent[]; secret: NewSecret | null }
function notebook(answer: () => Promise<number | null>): { notes: Notes; written: Written[] } {
  const written: Written[] = [];
  const notes = new Notes(ROW, { now: () => 0, record: (_id, _fence, patch, events, secret) => { written.push({ patch, events, secret }); return answer(); } });
  return { notes, written };
}

test('a write takes all that was noted since the last, in its order; the rest goes with the end of the look', async () => {
  const { notes, written } = notebook(() => Promise.resolve(1));
  notes.take({ patch: { fly_app: 'a' }, events: [event('one')] });
  notes.take({ patch: { phase: 'creating' }, events: [event('two')] });
  expect(await notes.write(null)).toBe(true);
  notes.take({ patch: { fly_volume_id: 'v' }, events: [event('three')] });
  expect(written).toEqual([{ patch: { fly_app: 'a', phase: 'creating' }, events: [event('one'), event('two')], secret: null }]);
  expect(notes.rest({ patch: { attempts: 0 }, events: [event('four')] })).toEqual({ patch: { fly_volume_id: 'v', attempts: 0 }, events: [event('three'), event('four')] });
  expect(notes.row).toMatchObject({ fly_app: 'a', phase: 'creating', phase_since: '1970-01-01T00:00:00.000Z', fly_volume_id: 'v' });
});

test('nothing is asked of the database when there is nothing to write; a secret alone is something', async () => {
  const { notes, written } = notebook(() => Promise.resolve(1));
  expect(await notes.write(null)).toBe(true);
  expect(written).toEqual([]);
  await notes.write({ hash: 'h', version: 1 });
  expect(written).toEqual([{ patch: {}, events: [], secret: { hash: 'h', version: 1 } }]);
});

test('another wish and a lost lease are told apart', async () => {
  const { notes } = notebook(() => Promise.resolve(2));
  notes.take({ patch: {}, events: [event('one')] });
  expect(await notes.write(null)).toBe(false);
  const lost = notebook(() => Promise.resolve(null)).notes;
  lost.take({ patch: {}, events: [event('one')] });
  await expect(lost.write(null)).rejects.toBeInstanceOf(LeaseLost);
});

test('a write that failed loses nothing, nor what was noted while it was under way', async () => {
  let fail = (_error: Error): void => undefined;
  const { notes } = notebook(() => new Promise((_resolve, reject) => { fail = reject; }));
  notes.take({ patch: { fly_volume_id: 'old', fly_app: 'a' }, events: [event('one')] });
  const writing = notes.write(null);
  notes.take({ patch: { fly_volume_id: 'new' }, events: [event('two')] });
  fail(new Error('away'));
  await expect(writing).rejects.toThrow('away');
  expect(notes.rest({ patch: {}, events: [] })).toEqual({ patch: { fly_volume_id: 'new', fly_app: 'a' }, events: [event('one'), event('two')] });
});
