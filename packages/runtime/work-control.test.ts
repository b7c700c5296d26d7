import { beforeEach, expect, test } from 'vitest';
import { keptPause, WorkControl } from './work-control.ts';
import { WorkPhase } from './work-phase.ts';

let kept: Map<string, string>;
let rests: { candles: boolean; analysis: boolean };
let told: string[];
let progress: { done: number; total: number; symbols: number; symbolsDone: number };
let phase: WorkPhase;
let control: WorkControl;
const store = { get: (key: string) => kept.get(key), set: (key: string, value: string) => { kept.set(key, value); } };
const make = (): WorkControl => {
  phase = new WorkPhase(keptPause(store));
  return new WorkControl({
    phase, store, wall: { epoch: () => 1_000 }, log: (_level, code) => told.push(`log ${code}`),
    candles: { setPaused: (paused) => { rests.candles = paused; }, progress: () => progress }, analyzer: { setPaused: (paused) => { rests.analysis = paused; } },
    publisher: { statusChanged: () => undefined, phaseChanged: () => told.push(`phase ${phase.current}`) },
    detail: () => 'So it is.', onMayScreen: () => told.push('may screen'), onOwner: (acts) => told.push(acts ? 'acts' : 'waits'), onPhase: () => told.push('beat'),
  });
};
beforeEach(() => {
  [kept, rests, told, progress] = [new Map(), { candles: false, analysis: false }, [], { done: 0, total: 2, symbols: 1, symbolsDone: 0 }];
  control = make();
});
const screening = (): void => {
  control.open();
  control.changed();
  progress.done = 2;
  control.changed();
  told = [];
};

test('a boot that is over loads history, then screens; each change of phase is told once', () => {
  control.changed();
  expect(told).toEqual([]);
  control.open();
  control.changed();
  control.changed();
  progress.done = 2;
  control.changed();
  control.changed();
  expect(told).toEqual(['log phase', 'phase backfilling', 'beat', 'log phase', 'phase screening', 'beat']);
});

test('paused by its user it takes no candle while signals are still reviewed, also after a restart, until it is resumed; what closed meanwhile is caught up first', () => {
  screening();
  control.pause();
  control.pause();
  expect([rests, phase.pausedAt, told]).toEqual([{ candles: true, analysis: false }, 1_000, ['beat']]);
  control = make();
  control.open();
  expect([rests.candles, phase.pausedAt]).toEqual([true, 1_000]);
  progress.done = 0;
  control.resume();
  expect([rests, phase.pausedAt, phase.current]).toEqual([{ candles: false, analysis: false }, undefined, 'backfilling']);
  make();
  expect(phase.pausedAt).toBeUndefined();
});

test('a drain rests all and is told at once; its end lets all go on', () => {
  screening();
  control.drain(true);
  control.drain(true);
  expect([rests, told]).toEqual([{ candles: true, analysis: true }, ['log drain', 'log phase', 'phase draining', 'beat']]);
  control.drain(false);
  expect([rests, phase.current]).toEqual([{ candles: false, analysis: false }, 'screening']);
});

test('while another machine of the user acts all rests; when it no longer does, traders are applied before it goes on', () => {
  screening();
  control.owner(true);
  expect(told).toEqual([]);
  control.owner(false);
  expect([rests, phase.current, told]).toEqual([{ candles: true, analysis: true }, 'booting', ['waits', 'log phase', 'phase booting', 'beat']]);
  told = [];
  control.owner(true);
  expect([rests.candles, told.slice(0, 2), phase.current]).toEqual([false, ['acts', 'may screen'], 'screening']);
});

test('after its end nothing brings it back', () => {
  screening();
  control.settle();
  control.drain(false);
  control.owner(false);
  expect([phase.current, rests]).toEqual(['draining', { candles: true, analysis: true }]);
  control.settled();
  expect(told).toEqual(['log phase', 'phase draining', 'beat']);
});
