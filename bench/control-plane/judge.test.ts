import { expect, test } from 'vitest';
import { judge, type Standing, type Wished } from './judge.ts';

const place = { region: 'sin', cpuKind: 'shared', cpus: 1, memoryMb: 512 };
const wished: Wished = {
  fly_machine_id: 'm1', phase: 'screening', desired_state: 'started', desired_region: 'sin', desired_cpu_kind: 'shared', desired_cpus: 1, desired_memory_mb: 512, desired_image: 'image-new',
  placed: null, generation: 4, failed_generation: 0, good: { ...place, image: 'image-old' },
};
const machine = { id: 'm1', state: 'started', ...place, image: 'image-new' };
const right: Standing = { machines: [machine], volumes: 1, addresses: ['66.241.1.1', '2a09::1'] };
const failed = { ...wished, failed_generation: 4 };
const moving = { ...wished, desired_state: 'stopped', desired_region: 'fra' };
const halfMoved: Standing = { ...right, machines: [{ ...machine, state: 'stopped' }, { ...machine, id: 'm2', region: 'fra', state: 'stopped' }], volumes: 2 };
const rests = { ...wished, desired_state: 'stopped' };

test('exactly what is wished is right: as it is, in the place that had room, the version that worked once the wished one was given up, and at rest', () => {
  expect(judge(wished, right)).toEqual([]);
  const other = { region: 'fra', cpuKind: 'shared', cpus: 2, memoryMb: 1_024 };
  expect(judge({ ...wished, placed: other }, { ...right, machines: [{ ...machine, ...other }] })).toEqual([]);
  expect(judge(failed, { ...right, machines: [{ ...machine, image: 'image-old' }] })).toEqual([]);
  expect(judge({ ...failed, good: null }, { ...right, machines: [{ ...machine, state: 'stopped' }] })).toEqual([]);
  expect(judge(rests, { ...right, machines: [{ ...machine, state: 'stopped' }] })).toEqual([]);
  expect(judge(rests, { machines: [], volumes: 0, addresses: [] })).toEqual([]);
  expect(judge(moving, halfMoved)).toEqual([]);
});

test.each<[string, Wished, Standing]>([
  ['another region', wished, { ...right, machines: [{ ...machine, region: 'fra' }] }],
  ['another memory', wished, { ...right, machines: [{ ...machine, memoryMb: 1_024 }] }],
  ['another kind of vCPU', wished, { ...right, machines: [{ ...machine, cpuKind: 'performance' }] }],
  ['another image', wished, { ...right, machines: [{ ...machine, image: 'image-old' }] }],
  ['another machine than the row names', wished, { ...right, machines: [{ ...machine, id: 'm2' }] }],
  ['a machine too many, though it rests', wished, { ...right, machines: [machine, { ...machine, id: 'm2', state: 'stopped' }] }],
  ['no machine', wished, { ...right, machines: [] }],
  ['a volume too many', wished, { ...right, volumes: 2 }],
  ['an address too few', wished, { ...right, addresses: ['66.241.1.1'] }],
  ['an address twice', wished, { ...right, addresses: ['66.241.1.1', '2a09::1', '2a09::2'] }],
  ['a version that was given up, and still runs', failed, right],
  ['a version that was given up, and the size of before does not run', failed, { ...right, machines: [{ ...machine, image: 'image-old', cpus: 2 }] }],
  ['a version that was given up, and nothing runs', failed, { ...right, machines: [{ ...machine, state: 'stopped' }] }],
  ['a first version that was given up, and still runs', { ...failed, good: null }, right],
  ['it is to rest in the middle of a move, and has a third machine', moving, { ...halfMoved, machines: [...halfMoved.machines, { ...machine, id: 'm3', state: 'stopped' }] }],
  ['it is to rest in the middle of a move, and one of the two runs', moving, { ...halfMoved, machines: [machine, halfMoved.machines[1]!] }],
  ['it is to rest where it is, and has a volume too many', rests, { ...right, machines: [{ ...machine, state: 'stopped' }], volumes: 2 }],
  ['it is to rest, and runs', rests, right],
  ['it rests with an address twice', rests, { machines: [], volumes: 1, addresses: ['66.241.1.1', '66.241.1.2'] }],
])('%s is not', (_what, row, standing) => {
  expect(judge(row, standing)).toHaveLength(1);
});
