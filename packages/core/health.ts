import * as z from 'zod/mini';
import { CrashReport } from './crash.ts';
import { componentOfProblem, HEALTH_COMPONENTS, HEALTH_MEASURES, HEALTH_STATES, MEASURES, readingInWords, type HealthComponent, type HealthState, type Measure, type MeasureRule } from './health-table.ts';

/** How one component fares. A machine of another version may name components that a screen does not know: it shows them all the same. */
export const ComponentHealth = z.object({
  component: z.string(),
  title: z.string(),
  state: z.enum(HEALTH_STATES),
  /** Since when it is so (ms of wall time). */
  since: z.int(),
  /** What it means, and what to do about it when it is not healthy. */
  sentence: z.string(),
  nextStep: z.optional(z.string()),
  /** The readings that led to it, by measure: ms, shares, numbers. */
  readings: z.record(z.string(), z.number()),
});
export type ComponentHealth = z.infer<typeof ComponentHealth>;

/** What a machine says of its health. */
export const HealthReport = z.object({
  /** The worst of its components. */
  state: z.enum(HEALTH_STATES),
  /** When it was looked at (ms of wall time). */
  at: z.int(),
  components: z.array(ComponentHealth),
  /** How the process before this one ended, if that was against its will and not long ago. */
  crash: z.optional(CrashReport),
});
export type HealthReport = z.infer<typeof HealthReport>;

/** What was measured; a measure that is absent is not judged. */
export type Readings = Readonly<Partial<Record<Measure, number>>>;

/** A better reading must be so far below the threshold, for so long (ms), before it counts: a reading on the threshold changes nothing to and fro. */
const EASE_SHARE = 0.9;
export const EASE_MS = 30_000;

type Level = 0 | 1 | 2;
/** Where one measure stands, and towards which level it has been going since when (ms, monotonic). */
interface MeasureState { readonly level: Level; readonly towards?: { readonly level: Level; readonly since: number } }

/** What judging remembers from look to look. Begin with `{}`. */
export interface HealthMemory {
  readonly measures?: Readonly<Partial<Record<Measure, MeasureState>>>;
  readonly components?: Readonly<Partial<Record<HealthComponent, { readonly state: HealthState; readonly since: number }>>>;
}

/** The level of a reading by its thresholds alone. */
function levelOf({ degraded, failing }: MeasureRule, value: number): Level {
  if (failing !== null && value >= failing) return 2;
  return degraded !== null && value >= degraded ? 1 : 0;
}

/** The least level that a component which was worse may keep at this reading: the thresholds of the way down lie below those of the way up. */
function levelOnTheWayDown({ degraded, failing }: MeasureRule, value: number): Level {
  // Never so far below that what is called failing is not even degraded any more.
  if (failing !== null && value >= Math.max(failing * EASE_SHARE, degraded === null ? 0 : (degraded + failing) / 2)) return 2;
  return degraded !== null && value >= degraded * EASE_SHARE ? 1 : 0;
}

/** One measure's next state: it worsens at its threshold once it has stood there long enough, and betters only well below it, for a while. */
function step(before: MeasureState, rule: MeasureRule, value: number, now: number): MeasureState {
  const { level } = before;
  const worse = levelOf(rule, value);
  const better = levelOnTheWayDown(rule, value);
  const target = worse > level ? worse : better < level ? better : level;
  if (target === level) return { level };
  const rising = target > level;
  const same = before.towards !== undefined && (before.towards.level > level) === rising;
  // Of all that was read on the way only what held throughout counts.
  const towards = same ? { level: (rising ? Math.min : Math.max)(before.towards!.level, target) as Level, since: before.towards!.since } : { level: target, since: now };
  return now - towards.since >= (rising ? rule.riseMs : EASE_MS) ? { level: towards.level } : { level, towards };
}

/**
 * Judges readings by the one table, with hysteresis. Pure: what it remembers is given and given back.
 * @param problems what is known to be wrong: the sentence of the component that a problem belongs to names it
 * @param now `mono` never jumps (ms); `epoch` is wall time, for what people see
 */
export function judgeHealth(memory: HealthMemory, readings: Readings, problems: readonly { code: string; message: string }[], now: { mono: number; epoch: number }): { memory: HealthMemory; report: HealthReport } {
  const measures: Partial<Record<Measure, MeasureState>> = {};
  for (const measure of MEASURES) {
    const value = readings[measure];
    if (value !== undefined && Number.isFinite(value)) measures[measure] = step(memory.measures?.[measure] ?? { level: 0 }, HEALTH_MEASURES[measure], value, now.mono);
  }
  const components: Partial<Record<HealthComponent, { state: HealthState; since: number }>> = {};
  const told: ComponentHealth[] = [];
  for (const component of Object.keys(HEALTH_COMPONENTS) as HealthComponent[]) {
    const known = MEASURES.filter((measure) => HEALTH_MEASURES[measure].component === component && measures[measure] !== undefined);
    if (known.length === 0) continue;
    const worst = known.reduce((one, other) => (measures[other]!.level > measures[one]!.level ? other : one));
    const state = HEALTH_STATES[measures[worst]!.level]!;
    const before = memory.components?.[component];
    const since = before?.state === state ? before.since : now.epoch;
    components[component] = { state, since };
    told.push({ component, title: HEALTH_COMPONENTS[component].title, state, since, ...wordsOf(component, state, worst, readings[worst]!, problems), readings: Object.fromEntries(known.map((measure) => [measure, round(readings[measure]!)])) });
  }
  return { memory: { measures, components }, report: { state: worstOf(told), at: now.epoch, components: told } };
}

function wordsOf(component: HealthComponent, state: HealthState, measure: Measure, value: number, problems: readonly { code: string; message: string }[]): { sentence: string; nextStep?: string } {
  if (state === 'healthy') return { sentence: HEALTH_COMPONENTS[component].healthy };
  const { means, unit, todo } = HEALTH_MEASURES[measure];
  const cause = problems.find(({ code }) => componentOfProblem(code) === component);
  return { sentence: `${means(readingInWords(value, unit))}${cause ? ` ${cause.message}` : ''}`, nextStep: todo[state] };
}

/** The worst state among components; healthy without any. */
export function worstOf(components: readonly { state: HealthState }[]): HealthState {
  return components.reduce<HealthState>((worst, { state }) => (HEALTH_STATES.indexOf(state) > HEALTH_STATES.indexOf(worst) ? state : worst), 'healthy');
}

/**
 * A machine's health as seen from outside: its own report, and whether it reports at all. For the control plane and for screens that do not
 * hear the machine itself. A machine that has never reported has nothing to be judged by.
 * @param beatAt when it last reported (ms of wall time)
 */
export function healthFromOutside(report: HealthReport | undefined, beatAt: number | null, now: number): HealthReport | undefined {
  if (beatAt === null) return report;
  const age = Math.max(0, now - beatAt);
  const rule: MeasureRule = HEALTH_MEASURES.beatAgeMs;
  const level = levelOf(rule, age);
  const state = HEALTH_STATES[level]!;
  const machine: ComponentHealth = {
    component: 'machine', title: HEALTH_COMPONENTS.machine.title, state, since: beatAt + ([0, rule.degraded, rule.failing][level] ?? 0),
    ...wordsOf('machine', state, 'beatAgeMs', age, []), readings: { beatAgeMs: age },
  };
  const components = [machine, ...(report?.components.filter(({ component }) => component !== 'machine') ?? [])];
  return { ...report, state: worstOf(components), at: report?.at ?? beatAt, components };
}

/** Three digits are enough for a screen, and keep frames small. */
const round = (value: number): number => (Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(3)));
