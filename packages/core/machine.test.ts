import { expect, test } from 'vitest';
import { isReachable, MACHINE_LIFECYCLE, MACHINE_PHASES, MACHINE_SIGHTINGS, nextPhase, type MachinePhase } from './machine.ts';

const cells = MACHINE_PHASES.flatMap((phase) => MACHINE_SIGHTINGS.map((sighting) => ({ phase, sighting })));

test('the table has a cell for every phase and sighting', () => {
  for (const { phase, sighting } of cells) expect(MACHINE_PHASES).toContain(MACHINE_LIFECYCLE[phase][sighting]);
});

test('seeing the same again changes nothing', () => {
  for (const { phase, sighting } of cells) {
    const once = nextPhase(phase, sighting);
    expect(nextPhase(once, sighting)).toBe(once);
  }
});

test('nothing brings a destroyed machine back, and only its absence ends a destruction', () => {
  for (const sighting of MACHINE_SIGHTINGS) {
    expect(nextPhase('destroyed', sighting)).toBe('destroyed');
    expect(nextPhase('destroying', sighting)).toBe(sighting === 'gone' ? 'destroyed' : 'destroying');
  }
});

test('a late word of a machine that is being stopped does not make it look alive', () => {
  expect(nextPhase('stopping', 'screening')).toBe('stopping');
  expect(nextPhase('stopped', 'screening')).toBe('stopped');
});

test('a machine goes from the wish to screening by what is seen', () => {
  let phase: MachinePhase = 'requested';
  const life = (['building', 'booting', 'backfilling', 'screening'] as const).map((sighting) => { phase = nextPhase(phase, sighting); return phase; });
  expect(['requested', ...life]).toEqual(['requested', 'creating', 'starting', 'backfilling', 'screening']);
});

test('a feed answers while a machine backfills or screens', () => {
  expect(MACHINE_PHASES.filter(isReachable)).toEqual(['backfilling', 'screening']);
});
