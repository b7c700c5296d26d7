import { expect, test } from 'vitest';
import { exitOf, lastExit, type MachineEvent } from './index.ts';

const exit = (timestamp: number, request: MachineEvent['request']): MachineEvent => ({ id: String(timestamp), type: 'exit', status: 'stopped', source: 'flyd', timestamp, request });

test('an exit tells its code, signal, lack of memory, and what follows', () => {
  expect(exitOf(exit(5, { exit_event: { exit_code: 137, guest_exit_code: 137, signal: 9, guest_signal: 9, oom_killed: true, requested_stop: false, restarting: true }, restart_count: 2 }))).toEqual({
    exitCode: 137, signal: 9, oomKilled: true, requested: false, restarting: true, restartCount: 2, at: 5,
  });
});

test("the guest's own code is believed before that of its host, and -1 is no signal", () => {
  expect(exitOf(exit(5, { exit_event: { exit_code: 0, guest_exit_code: 3, signal: -1 } }))).toMatchObject({ exitCode: 3, signal: undefined, oomKilled: false });
});

test('an exit inside a monitor event is understood, one without words is an exit all the same, and nothing else is one', () => {
  expect(exitOf(exit(5, { monitor_event: { exit_event: { exit_code: 1 } } }))).toMatchObject({ exitCode: 1 });
  expect(exitOf(exit(5, null))).toMatchObject({ exitCode: undefined, oomKilled: false });
  expect(exitOf({ id: 'x', type: 'start', timestamp: 1 })).toBeNull();
});

test('the last exit is the newest, in whatever order they came', () => {
  const events = [exit(1, { exit_event: { exit_code: 1 } }), exit(9, { exit_event: { exit_code: 9 } }), exit(4, { exit_event: { exit_code: 4 } }), { id: 'x', type: 'start', timestamp: 10 }];
  expect([lastExit(events)?.exitCode, lastExit(events.toReversed())?.exitCode, lastExit([])]).toEqual([9, 9, null]);
});
