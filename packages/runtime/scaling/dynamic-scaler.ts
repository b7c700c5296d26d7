import { codeOf, SCALE_COOLDOWN_MS, sentenceOf, type CrashReport, type ScaleAdvice, type ScaleAnswer, type ScaleRequest, type ScaleTerms } from '@trademind/core';
import * as z from 'zod/mini';
import type { Log } from '../log.ts';
import { pause, type Wall } from '../time.ts';
import { busiestOfTheHour, CALM_MS, loadLately, SLICE_MS, type LoadSample } from './load.ts';
import { planSize, type SizePlan } from './plan-size.ts';
import type { ScalePort } from './scale-port.ts';

const SAMPLE_MS = 5_000;
const PLAN_MS = 60_000;
/** What the user allows is asked for again so often, and always before a request. */
const TERMS_MS = 3_600_000;
/** Who is refused waits twice as long each time, up to this. */
const LONGEST_WAIT_MS = 3_600_000;
/** A memory that proved too little is remembered for so long. */
const OUT_OF_MEMORY_MS = 7 * 86_400_000;
const KEY = 'scaling';

/** What survives a restart: when it last asked and how often it was refused in a row, and which memory proved too little. Times are wall time: they count from one process to the next. */
const Remembered = z.object({ askedAt: z.nullable(z.number()), notBefore: z.number(), refusals: z.int(), outOfMemory: z.nullable(z.object({ mb: z.number(), at: z.number() })) });
type Remembered = z.infer<typeof Remembered>;

export interface DynamicScalerOptions {
  port: ScalePort;
  /** The last look at the load; undefined while the machine is not yet at its usual work (it boots, reads history, drains). A look that was given before is not counted twice; its times are of the wall's `now`. */
  sample: () => LoadSample | undefined;
  /** Something that survives a restart. */
  memory: { get(key: string): string | undefined; set(key: string, value: string): void };
  /** When the process before this one ran out of memory, and with how much (MB); null when it did not. */
  outOfMemory: { at: number; mb: number } | null;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
  /** The advice changed. */
  onAdvice?: (advice: ScaleAdvice) => void;
}

/** When the process before this one ran out of memory, and with how much. */
export function lastOutOfMemory(crashes: readonly CrashReport[]): DynamicScalerOptions['outOfMemory'] {
  const last = crashes.findLast(({ kind }) => kind === 'out-of-memory');
  return last === undefined ? null : { at: Date.parse(last.at), mb: last.memory.limitMb };
}

/**
 * Watches the load and asks the control plane for the size that it wants: at most once in five minutes, with its evidence. It decides nothing:
 * the control plane judges by plan, bounds and budget, waits for the machine to drain, and changes its size.
 */
export class DynamicScaler {
  readonly #options: DynamicScalerOptions;
  readonly #samples: LoadSample[] = [];
  #remembered: Remembered;
  #terms: { value: ScaleTerms; at: number } | undefined;
  #advice: ScaleAdvice;
  #problem: { code: string; message: string } | null = null;
  #askedNow = -Infinity;

  constructor(options: DynamicScalerOptions) {
    this.#options = options;
    this.#remembered = recall(options.memory.get(KEY));
    const { outOfMemory } = options;
    if (outOfMemory !== null && outOfMemory.at > (this.#remembered.outOfMemory?.at ?? 0)) this.#remember({ outOfMemory });
    this.#advice = { state: 'unknown', sentence: 'The size has not been judged yet.', at: Math.round(options.wall.epoch()) };
  }

  /** What it says of the machine's size. */
  get advice(): ScaleAdvice {
    return this.#advice;
  }

  /** Why the control plane could not be asked; null when all is well. */
  get problem(): { code: string; message: string } | null {
    return this.#problem;
  }

  /** Watches until the signal ends it. */
  async run(): Promise<void> {
    const { wall, signal } = this.#options;
    let plannedAt = wall.now();
    while (await pause(SAMPLE_MS, signal, wall)) {
      this.#look();
      if (wall.now() - plannedAt < PLAN_MS) continue;
      plannedAt = wall.now();
      await this.#plan();
    }
  }

  #look(): void {
    const { sample, wall } = this.#options;
    const latest = sample();
    if (latest !== undefined && latest.at > (this.#samples.at(-1)?.at ?? -Infinity)) this.#samples.push(latest);
    const kept = wall.now() - CALM_MS - SLICE_MS;
    while (this.#samples.length > 0 && this.#samples[0]!.at < kept) this.#samples.shift();
  }

  async #plan(): Promise<void> {
    const { wall, log, signal } = this.#options;
    try {
      let plan = this.#planBy(await this.#termsWithin(TERMS_MS));
      // Before it asks it hears what is allowed now.
      if ('request' in plan && this.#mayAsk()) plan = this.#planBy(await this.#termsWithin(PLAN_MS));
      if ('request' in plan && this.#mayAsk() && this.#terms!.value.automatic) await this.#ask(plan.request);
      else this.#advise(plan);
    } catch (error) {
      if (signal.aborted) return;
      if (this.#problem?.code !== codeOf(error)) log('info', codeOf(error), `The size could not be judged: ${sentenceOf(error)}`);
      this.#problem = { code: codeOf(error), message: sentenceOf(error) };
    }
    // The clock was set back: what is so far off was never meant.
    if (this.#remembered.notBefore > wall.epoch() + LONGEST_WAIT_MS) this.#remember({ notBefore: wall.epoch() + SCALE_COOLDOWN_MS });
  }

  #planBy(terms: ScaleTerms): SizePlan {
    const { wall } = this.#options;
    const lost = this.#remembered.outOfMemory;
    const outOfMemoryMb = lost !== null && wall.epoch() - lost.at < OUT_OF_MEMORY_MS ? lost.mb : null;
    return planSize({ terms, lately: loadLately(this.#samples, wall.now()), busiest: busiestOfTheHour(this.#samples, wall.now()), outOfMemoryMb, epoch: wall.epoch() });
  }

  async #termsWithin(ms: number): Promise<ScaleTerms> {
    const { wall, port } = this.#options;
    if (this.#terms === undefined || wall.now() - this.#terms.at >= ms) {
      this.#terms = { value: await port.terms(), at: wall.now() };
      this.#problem = null;
    }
    return this.#terms.value;
  }

  #mayAsk(): boolean {
    const { wall } = this.#options;
    // By both clocks: the one that survives a restart may jump.
    return wall.epoch() >= this.#remembered.notBefore && wall.now() - this.#askedNow >= SCALE_COOLDOWN_MS;
  }

  async #ask(request: ScaleRequest): Promise<void> {
    const { port, wall, log } = this.#options;
    const askedAt = wall.epoch();
    this.#askedNow = wall.now();
    // Kept before it is asked: an answer that never comes, or a restart that does, must not make it ask again at once.
    this.#remember({ askedAt, notBefore: askedAt + SCALE_COOLDOWN_MS });
    log('info', 'scale_asked', request.sentence, { from: request.from, to: request.to });
    const answer = await port.ask(request);
    this.#problem = null;
    const refusals = answer.decision === 'accepted' ? 0 : this.#remembered.refusals + 1;
    this.#remember({ refusals, notBefore: askedAt + waitAfter(answer, refusals) });
    log(answer.decision === 'refused' ? 'warn' : 'info', `scale_${answer.decision}`, answer.message, { answer: answer.code });
    this.#tell({ state: 'asked', sentence: `${request.sentence} ${answer.message}`, to: request.to, answer });
  }

  #advise(plan: SizePlan): void {
    if (!('request' in plan)) this.#tell({ state: plan.kind, sentence: plan.sentence });
    else if (this.#advice.state !== 'asked' || !this.#terms!.value.automatic) this.#tell({ state: 'wants', sentence: plan.request.sentence, to: plan.request.to });
  }

  #tell(advice: Omit<ScaleAdvice, 'at'>): void {
    const before = this.#advice;
    this.#advice = { ...advice, at: Math.round(this.#options.wall.epoch()) };
    if (before.state !== advice.state || before.sentence !== advice.sentence) this.#options.onAdvice?.(this.#advice);
  }

  #remember(change: Partial<Remembered>): void {
    this.#remembered = { ...this.#remembered, ...change };
    this.#options.memory.set(KEY, JSON.stringify(this.#remembered));
  }
}

/** Ms until it may ask again: the cool-down, longer after each refusal in a row, never shorter than the control plane says. */
function waitAfter(answer: ScaleAnswer, refusals: number): number {
  const own = SCALE_COOLDOWN_MS * 2 ** Math.max(0, refusals - 1);
  return Math.min(LONGEST_WAIT_MS, Math.max(SCALE_COOLDOWN_MS, own, (answer.retryAfterS ?? 0) * 1_000));
}

function recall(text: string | undefined): Remembered {
  try {
    const parsed = Remembered.safeParse(JSON.parse(text ?? 'null'));
    if (parsed.success) return parsed.data;
  } catch {
    // What cannot be read is as good as nothing.
  }
  return { askedAt: null, notBefore: 0, refusals: 0, outOfMemory: null };
}
