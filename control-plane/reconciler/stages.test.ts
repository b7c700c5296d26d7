import { expect, test } from 'vitest';
import type { Deed } from './act.ts';
import { stagesOf } from './stages.ts';

const kinds = (deeds: Deed[]) => stagesOf(deeds).map((stage) => stage.map(({ kind }) => kind));

test('of a deploy, addresses, volume and secret are made side by side: after the app, before the machine', () => {
  expect(kinds([
    { kind: 'create-app' }, { kind: 'create-ip', type: 'shared_v4' }, { kind: 'create-ip', type: 'v6' }, { kind: 'create-volume', region: 'sin' }, { kind: 'set-secret', version: 1 },
    { kind: 'create-machine', volumeId: null },
  ])).toEqual([['create-app'], ['create-ip', 'create-ip', 'create-volume', 'set-secret'], ['create-machine']]);
});

test('what changes a machine is done alone and in its order', () => {
  expect(kinds([{ kind: 'stop', machineId: 'a', why: 'x', force: false }, { kind: 'stop', machineId: 'b', why: 'x', force: false }, { kind: 'destroy-machine', machineId: 'a' }])).toEqual([['stop'], ['stop'], ['destroy-machine']]);
  expect(kinds([{ kind: 'set-secret', version: 2 }, { kind: 'update', machineId: 'a', volumeId: 'v', why: 'x' }])).toEqual([['set-secret'], ['update']]);
  expect(kinds([{ kind: 'delete-volume', volumeId: 'v' }, { kind: 'release-ip', ip: '1' }, { kind: 'delete-app' }])).toEqual([['delete-volume', 'release-ip'], ['delete-app']]);
  expect(kinds([])).toEqual([]);
});
