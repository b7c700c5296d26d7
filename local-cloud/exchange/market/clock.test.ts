import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LONGEST_STEP_MS, MarketClock, resumeAt } from './clock.ts';
import type { ClockState } from './state.ts';

const ORIGIN = 1_000_000_000;

/** A clock over a wall that the test moves and a disk that it can break. */
function world() {
  const state: { wall: number; disk: ClockState | undefined; full: boolean } = { wall: 5_000_000, disk: undefined, full: false };
  const open = (speed: number) => new MarketClock({
    now: () => state.wall, speed, origin: ORIGIN, stored: state.disk,
    save: (saved) => {
      if (state.full) throw new Error('no space left');
      state.disk = structuredClone(saved);
    },
    onSaveError: () => undefined,
  });
  return Object.assign(state, { open });
}

describe('market time', () => {
  test('runs speed times as fast as wall time from its origin', () => {
    const w = world();
    const clock = w.open(60);
    expect(clock.time()).toBe(ORIGIN);
    w.wall += 500;
    expect(clock.time()).toBe(ORIGIN + 30_000);
  });

  test('stands still while the exchange is off, and keeps its time under another speed', () => {
    const w = world();
    const clock = w.open(60);
    w.wall += 1_000;
    clock.pause();
    w.wall += 86_400_000;
    const again = w.open(7);
    expect(again.time()).toBe(ORIGIN + 60_000);
    w.wall += 1_000;
    expect(again.time()).toBe(ORIGIN + 67_000);
  });

  test('stands still while the computer sleeps', () => {
    const w = world();
    const clock = w.open(60);
    w.wall += LONGEST_STEP_MS + 1;
    expect(clock.time()).toBe(ORIGIN);
    w.wall += 1_000;
    expect(clock.time()).toBe(ORIGIN + 60_000);
  });

  test('never goes back, over any steps of the wall, kills, stops, changes of speed and a full disk', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('wall' as const), by: fc.integer({ min: -50_000, max: 90_000 }) }),
      fc.record({ kind: fc.constant('wall' as const), by: fc.integer({ min: 0, max: 1_500 }) }),
      fc.record({ kind: fc.constantFrom('kill' as const, 'stop' as const, 'kill after looking' as const), by: fc.constantFrom(0.5, 1, 60, 600) }),
      fc.record({ kind: fc.constant('disk' as const), by: fc.constantFrom(0, 1) }),
    );
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const w = world();
      let clock = w.open(60);
      let shown = clock.time();
      const look = () => {
        const time = clock.time();
        expect(time).toBeGreaterThanOrEqual(shown);
        shown = time;
      };
      for (const { kind, by } of steps) {
        // A wall clock set back while nothing can be written is the one case that no promise covers.
        if (kind === 'wall') w.wall += w.full ? Math.abs(by) : by;
        else if (kind === 'disk') w.full = by === 1;
        else {
          if (kind === 'kill after looking') look();
          w.full = false;
          if (kind === 'stop') {
            clock.pause();
            shown = Math.max(shown, (w.disk as ClockState).marketTime);
          }
          clock = w.open(by);
        }
        look();
      }
    }), { numRuns: 500 });
  });

  test('resumes after a kill where the mapping says, but not beyond the promise', () => {
    const stored: ClockState = { marketOrigin: 0, wallOrigin: 0, speed: 60, marketTime: 6_000, ahead: 126_000, paused: false };
    expect(resumeAt(stored, 500)).toBe(30_000);
    expect(resumeAt(stored, 3_600_000)).toBe(126_000);
    expect(resumeAt(stored, -10)).toBe(6_000);
    expect(resumeAt({ ...stored, paused: true }, 500)).toBe(6_000);
  });

  test('shows nothing that the disk does not cover', () => {
    const w = world();
    const clock = w.open(60);
    w.full = true;
    w.wall += 30_000;
    expect(clock.time()).toBeLessThanOrEqual((w.disk as ClockState).ahead);
    w.full = false;
    w.wall += 1_000;
    expect(clock.time()).toBeGreaterThan(ORIGIN + 60_000);
  });
});
