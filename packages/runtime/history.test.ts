import type { CrashReport } from '@trademind/core';
import { expect, test } from 'vitest';
import { HandWall } from '../../tests/support/hand-wall.ts';
import { History } from './history.ts';
import type { FactRows } from './state/facts.ts';

function history(add?: () => void) {
  const rows = new Map<string, FactRows['event']>();
  const logged: string[] = [];
  const wall = new HandWall();
  const kept = new History({ wall, log: (_, code) => logged.push(code), outbox: { add: (_, id, row) => { add?.(); rows.set(id, row as FactRows['event']); } } });
  return { kept, logged, wall, rows: () => [...rows.values()] };
}
const asked = { at: 1_700_000_000_000, command: 'pause', sessionId: 'a-session', outcome: 'done', code: undefined } as const;
const crash: CrashReport = { at: '2026-01-02T03:04:05.000Z', kind: 'crashed', code: 'x', message: 'm'.repeat(5_000), version: '1', uptimeS: 1, memory: { rssMb: 1, limitMb: 2, heapMb: 1, heapLimitMb: 2 }, log: [{ at: 1, level: 'info', code: 'c', message: 'a line' }] };

test('a command is kept with who asked and how it ended; a flood of them is counted instead, and said with the next', async () => {
  const { kept, rows, wall } = history();
  kept.command(asked);
  kept.command({ ...asked, outcome: 'refused', code: 'scope_missing' });
  expect(rows()).toMatchObject([
    { kind: 'command', at: '2023-11-14T22:13:20.000Z', message: 'A client asked for "pause": done.', data: { command: 'pause', sessionId: 'a-session', outcome: 'done' } },
    { message: 'A client asked for "pause": refused (scope_missing).' },
  ]);
  for (let round = 0; round < 2_000; round++) kept.command(asked);
  expect(rows()).toHaveLength(600);
  await wall.move(3_600_000);
  kept.command(asked);
  expect(rows()).toHaveLength(601);
  expect(rows().at(-1)?.message).toContain('1402 commands before it are not kept');
});

test('a crash that is told at every start is one event, as long as the database takes it, without its log', () => {
  const { kept, rows } = history();
  kept.crashes([crash]);
  kept.crashes([crash, { ...crash, at: '2026-01-02T04:00:00.000Z' }]);
  expect(rows()).toHaveLength(2);
  expect(rows()[0]).toMatchObject({ kind: 'crash', at: crash.at, data: { kind: 'crashed', code: 'x', uptimeS: 1 } });
  expect(rows()[0]!.message).toHaveLength(2_000);
  expect(JSON.stringify(rows())).not.toContain('a line');
});

test('a disk that fails stops nobody', () => {
  const { kept, logged } = history(() => { throw Object.assign(new Error('full'), { code: 'ENOSPC' }); });
  kept.owner(false);
  kept.command(asked);
  expect(logged).toEqual(['event_not_kept', 'event_not_kept']);
});
