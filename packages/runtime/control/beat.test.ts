import { TradeMindError, type BeatAnswer, type MachineStatus } from '@trademind/core';
import { afterEach, expect, test } from 'vitest';
import { systemWall } from '../time.ts';
import { Beat } from './beat.ts';

const answer: BeatAnswer = { generation: 1, desired_state: 'started', traders_etag: 'a', settings_version: 0, keys_version: 0, jwks_version: 0, jwks: null, server_time: new Date().toISOString(), drain: false, drain_reason: null };
const status = { phase: 'screening', detail: 'x', market: { halted: [] }, traders: [], problems: [] } as unknown as MachineStatus;
const ending = new AbortController();
afterEach(() => ending.abort());

test('a status that the database refuses for whatever reason does not make the machine deaf: it says that it lives, and hears', async () => {
  const heard: boolean[] = [];
  const said: MachineStatus[] = [];
  const logged: string[] = [];
  const beat = new Beat({
    wall: systemWall, signal: ending.signal, status: () => ({ ...status, problems: [{ code: 'x', message: 'y' }] }), log: (_, code) => logged.push(code),
    database: {
      traders: () => Promise.resolve([]),
      beat: (told) => {
        said.push(told);
        return told.problems.length > 0 ? Promise.reject(new TradeMindError({ code: 'database_refused', message: 'HTTP 400: status_invalid.' })) : Promise.resolve({ ...answer, drain: true });
      },
    },
    onTraders: () => undefined, onNews: () => undefined, onDrain: (drain) => heard.push(drain),
  });
  void beat.run();
  await expect.poll(() => heard).toEqual([true]);
  beat.nudge();
  await expect.poll(() => heard).toEqual([true, true]);
  expect(said).toHaveLength(4);
  expect(beat.problem).toBeNull();
  expect(logged).toEqual(['status_refused']);
});
