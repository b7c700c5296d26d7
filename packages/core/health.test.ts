import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EASE_MS, HealthReport, healthFromOutside, judgeHealth, type HealthMemory, type Readings } from './health.ts';
import { HEALTH_COMPONENTS, HEALTH_MEASURES, HEALTH_STATES, MEASURES, componentOfProblem, readingInWords, type HealthComponent, type Measure, type MeasureRule } from './health-table.ts';

const LOOK_MS = 5_000;
const ruleOf = (measure: Measure): MeasureRule => HEALTH_MEASURES[measure];

/** Judges the same machine look by look; answers the states of the component that the measure belongs to. */
function statesOf(measure: Measure, values: readonly number[], everyMs = LOOK_MS): number[] {
  let memory: HealthMemory = {};
  return values.map((value, look) => {
    const judged = judgeHealth(memory, { [measure]: value }, [], { mono: look * everyMs, epoch: 1_000_000 + look * everyMs });
    memory = judged.memory;
    return HEALTH_STATES.indexOf(judged.report.state);
  });
}
const changes = (states: readonly number[]): number => states.filter((state, index) => index > 0 && state !== states[index - 1]).length;
const measures = fc.constantFrom(...MEASURES);
/** Readings around all that matters to a measure, and far beyond. */
const readingOf = (measure: Measure): fc.Arbitrary<number> => {
  const top = ruleOf(measure).failing ?? ruleOf(measure).degraded!;
  return fc.oneof(fc.double({ min: 0, max: top * 2, noNaN: true }), fc.constantFrom(0, top, top * 100, ruleOf(measure).degraded ?? 0));
};

describe('the table', () => {
  test('every component has a name, a sentence and at least one measure with thresholds in order and words for what it means and what to do', () => {
    for (const [component, { title, healthy }] of Object.entries(HEALTH_COMPONENTS)) {
      expect(title).toMatch(/^[A-Z]/);
      expect(healthy).toMatch(/^[A-Z].*\.$/);
      expect(MEASURES.some((measure) => ruleOf(measure).component === component), component).toBe(true);
    }
    for (const measure of MEASURES) {
      const { degraded, failing, means, todo, unit, riseMs } = ruleOf(measure);
      expect(degraded ?? failing, measure).not.toBeNull();
      if (degraded !== null && failing !== null) expect(failing, measure).toBeGreaterThan(degraded);
      expect(Math.min(degraded ?? 1, failing ?? 1), measure).toBeGreaterThan(0);
      expect(means(readingInWords(degraded ?? 1, unit)), measure).toMatch(/^[A-Z0-9].*\.$/);
      for (const words of Object.values(todo)) expect(words, measure).toMatch(/^[A-Z].*\.$/);
      if (measure.endsWith('Ms') && measure !== 'databaseLatencyMs' && measure !== 'loopDelayMs' && measure !== 'clockOffsetMs') expect(riseMs, `${measure} is a length of time itself`).toBe(0);
    }
  });

  test('readings are said in words', () => {
    expect([readingInWords(250, 'ms'), readingInWords(80_400, 'ms'), readingInWords(120_000, 'ms'), readingInWords(7_500_000, 'ms'), readingInWords(90_000_000, 'ms')]).toEqual(['250 ms', '1 min 20 s', '2 min', '2 h 5 min', '1 d 1 h']);
    expect([readingInWords(0.854, 'share'), readingInWords(2.5, 'count'), readingInWords(1_200, 'count')]).toEqual(['85 %', '2.5', '1200']);
  });

  test('a problem explains the component that its code belongs to', () => {
    expect(['exchange_unreachable', 'exchange_clock_doubtful', 'database_failing', 'disk_failing', 'who_knows'].map(componentOfProblem)).toEqual(['exchange', 'clock', 'database', 'disk', undefined]);
  });
});

describe('hysteresis', () => {
  test('a steady reading changes the state at most once, from wherever it comes', () => {
    fc.assert(fc.property(measures.chain((measure) => fc.tuple(fc.constant(measure), fc.array(readingOf(measure), { maxLength: 40 }), readingOf(measure), fc.integer({ min: 100, max: 60_000 }))), ([measure, before, steady, everyMs]) => {
      // What was on its way to the middle when it turned goes there first, and then on.
      const looks = 2 * Math.ceil(Math.max(ruleOf(measure).riseMs, EASE_MS) / everyMs) + 30;
      const states = statesOf(measure, [...before, ...Array.from({ length: looks }, () => steady)], everyMs);
      const after = states.slice(Math.max(0, before.length - 1));
      expect(changes(after)).toBeLessThanOrEqual(2);
      // Whatever was under way before may end first; once the reading has settled nothing moves.
      expect(changes(after.slice(-10))).toBe(0);
      expect(changes(statesOf(measure, Array.from({ length: looks }, () => steady), everyMs))).toBeLessThanOrEqual(1);
    }), { examples: [[['outboxAgeMs', [60_000_000, 60_000], 0, 1_035]]] });
  });

  test('a reading that trembles around a threshold changes the state at most once', () => {
    fc.assert(fc.property(measures, fc.array(fc.double({ min: 0.92, max: 1.04, noNaN: true }), { minLength: 20, maxLength: 200 }), (measure, noise) => {
      const { degraded, failing } = ruleOf(measure);
      for (const threshold of [degraded, failing]) {
        // What counts is whole: it cannot tremble.
        if (threshold === null || threshold <= 1 && ruleOf(measure).unit === 'count') continue;
        const settled = Array.from({ length: 300 }, () => threshold * 1.01);
        expect(changes(statesOf(measure, [...settled, ...noise.map((part) => part * threshold)]).slice(settled.length - 1))).toBeLessThanOrEqual(1);
      }
    }));
  });

  test('a spike shorter than the rule asks for is not told', () => {
    expect(statesOf('cpuUsed', [0.2, 1, 1, 0.2, 0.2])).toEqual([0, 0, 0, 0, 0]);
    expect(statesOf('streamDownMs', [0, 12_000])).toEqual([0, 1]);
  });

  test('a worse reading that lasts is told, worst of all when it is beyond the second threshold, and a good one brings it back', () => {
    fc.assert(fc.property(measures, (measure) => {
      const { degraded, failing, riseMs } = ruleOf(measure);
      const rise = Math.ceil(riseMs / LOOK_MS) + 1;
      const bad = (failing ?? degraded!) * 1.5;
      const states = statesOf(measure, [...Array.from({ length: rise }, () => bad), ...Array.from({ length: EASE_MS / LOOK_MS + 1 }, () => 0)]);
      expect(states[rise - 1]).toBe(failing === null ? 1 : 2);
      expect(states.at(-1)).toBe(0);
    }));
  });
});

describe('the report', () => {
  const judge = (readings: Readings, problems: { code: string; message: string }[] = []) => judgeHealth({}, readings, problems, { mono: 0, epoch: 5_000 }).report;

  test('names each component that was measured, with its readings, and is as bad as the worst', () => {
    const report = judge({ streamDownMs: 0, streamSilenceMs: 61_000, diskUsed: 0.123456 });
    expect(HealthReport.parse(report)).toEqual(report);
    expect(report.state).toBe('failing');
    expect(report.components.map(({ component, state }) => [component, state])).toEqual([['exchange', 'failing'], ['disk', 'healthy']]);
    expect(report.components[0]).toMatchObject({ sentence: 'The exchange has said nothing for 1 min 1 s.', readings: { streamDownMs: 0, streamSilenceMs: 61_000 }, since: 5_000 });
    expect(report.components[1]).toMatchObject({ sentence: 'The data folder can be written and has space.', readings: { diskUsed: 0.123 } });
    expect(report.components[1]).not.toHaveProperty('nextStep');
  });

  test('what is known to be wrong is named with the component, and only while it is not healthy', () => {
    const problems = [{ code: 'exchange_location_refused', message: 'It refuses this region.' }];
    expect(judge({ streamDownMs: 20_000 }, problems).components[0]?.sentence).toBe("The exchange's stream has been down for 20 s: no candles come. It refuses this region.");
    expect(judge({ streamDownMs: 0 }, problems).components[0]?.sentence).toBe('The exchange streams its candles.');
  });

  test('a component that is not measured is not judged, and nothing is healthy', () => {
    expect(judge({})).toEqual({ state: 'healthy', at: 5_000, components: [] });
    expect(judge({ cpuUsed: Number.NaN }).components).toEqual([]);
  });

  test('every component that is not healthy says what it means and what to do', () => {
    fc.assert(fc.property(measures.chain((measure) => fc.tuple(fc.constant(measure), readingOf(measure))), ([measure, value]) => {
      let memory: HealthMemory = {};
      for (const mono of [0, 10_000_000]) {
        const judged = judgeHealth(memory, { [measure]: value }, [], { mono, epoch: mono });
        memory = judged.memory;
        for (const { state, sentence, nextStep } of judged.report.components) {
          expect(sentence).toMatch(/\.$/);
          expect(nextStep === undefined).toBe(state === 'healthy');
        }
      }
    }));
  });

  test('since when a state holds is kept while it holds', () => {
    const first = judgeHealth({}, { diskFailing: 1 }, [], { mono: 0, epoch: 1_000 });
    const second = judgeHealth(first.memory, { diskFailing: 1 }, [], { mono: 5_000, epoch: 6_000 });
    expect(second.report.components[0]).toMatchObject({ state: 'failing', since: 1_000 });
  });
});

describe('seen from outside', () => {
  const inside = judgeHealth({}, { diskUsed: 0.1 }, [], { mono: 0, epoch: 0 }).report;
  test('a machine that no longer reports is degraded, then failing, whatever it said last', () => {
    expect([10_000, 45_000, 150_000].map((age) => healthFromOutside(inside, 1_000, 1_000 + age)?.state)).toEqual(['healthy', 'degraded', 'failing']);
    expect(healthFromOutside(inside, 1_000, 200_000)?.components.map(({ component }) => component as HealthComponent)).toEqual(['machine', 'disk']);
    expect(healthFromOutside(inside, 1_000, 200_000)?.components[0]).toMatchObject({ since: 151_000, nextStep: expect.stringContaining('restart') as string });
  });
  test('one that has never reported is not judged; one of a version without health is judged by its reports', () => {
    expect(healthFromOutside(undefined, null, 5)).toBeUndefined();
    expect(healthFromOutside(undefined, 0, 5)?.state).toBe('healthy');
  });
});
