import { codeOf, costOf, MODEL_PRICES, NO_DECISION, sentenceOf, type AnalysisOutcome, type Signal } from '@trademind/core';
import { v5 as uuidV5 } from 'uuid';
import { pause } from '../time.ts';
import { admit } from './admission.ts';
import { AnalysisBooks } from './analysis-books.ts';
import { AnalysisQueue, type KnownCall, type RunningCall, type Task } from './analysis-queue.ts';
import { DEFAULT_RULES, DEFAULT_SHARE, type AnalyzerOptions, type CallRules, type Caps } from './analyzer-options.ts';
import { decisionOf } from './answer.ts';
import { askModel, type Asked } from './ask-model.ts';
import { CallGate, type Share } from './call-gate.ts';
import { DISK_FAILING, DISK_RETRY_MS, DiskGuard } from './disk-guard.ts';
import { ModelCircuits } from './model-circuits.ts';
import { ModelError } from './model-client.ts';
import { Passes } from './passes.ts';
import { CURRENT_PROMPT } from './prompts/index.ts';
import { recover } from './recover.ts';
import { sweep } from './sweep.ts';
import { planAfterFailure, planTask, type Question } from './task-plan.ts';

/** Namespace of the ids of calls. Never change it. */
const CALL_NAMESPACE = '3d5e7a4e-94b7-4a0e-8a0c-6c1e0f9a7d52';
/** So much is done in one turn of the event loop, ms and tasks, so that a long queue never holds up the screening. */
const TURN_MS = 5;
const AT_A_TURN = 100;
const SOONEST_LOOK_MS = 10;
/** Outcomes, calls and usage are kept so long, and so many of each. */
const KEPT_MS = 7 * 86_400_000;
const KEPT = 20_000;
const DAY_MS = 86_400_000;
const PRUNE_EVERY_MS = 3_600_000;

interface Claimed { task: Task; question: Question; call: RunningCall }

/** What the analysis is doing, for status and health. */
export interface AnalyzerState {
  waiting: number;
  running: number;
  /** Close time (ms, market time) of the oldest candle that waits. */
  oldestCloseTime: number | null;
  /** Models that are not asked, until when (wall time, ms) and why. */
  circuits: { model: string; until: number; message: string }[];
  /** Used up on this day (UTC), calls under way with the most that they may use. */
  today: { day: string; calls: number; tokens: number; usd: number };
  /** What may be used up in a day. */
  caps: Caps;
}

/**
 * Has a model review signals: never more at once or a minute than its share, the most urgent first, each signal once and with exactly one outcome, whatever fails and whenever the program
 * ends. Below, in this order: how signals come in, how calls are let through, how one is made and ends, what ends without one, what it says of itself, how all begins and ends.
 */
export class ConcurrentAnalyzer {
  readonly #options: AnalyzerOptions;
  readonly #rules: CallRules;
  readonly #queue: AnalysisQueue;
  readonly #books: AnalysisBooks;
  readonly #circuits: ModelCircuits;
  /** Questions that are being asked, and how to give them up. */
  readonly #asking = new Map<string, AbortController>();
  readonly #giveUp = new AbortController();
  readonly #disk: DiskGuard;
  #share: Share;
  #gate: CallGate | undefined;
  #passes: Passes | undefined;
  #traders: readonly string[] | undefined;
  #paused = false;
  #ending = false;
  #knownAccess = '';
  #timer: NodeJS.Timeout | undefined;
  #pruneAt = 0;
  #capReached: { day: string; caps: Caps; message: string } | undefined;

  constructor(options: AnalyzerOptions) {
    const { wall, log, file } = options;
    this.#options = options;
    this.#rules = { ...DEFAULT_RULES, ...options.rules };
    this.#share = { ...DEFAULT_SHARE, ...options.share };
    this.#queue = new AnalysisQueue(file);
    this.#disk = new DiskGuard(file, log, wall.now);
    this.#books = new AnalysisBooks(this.#queue, options);
    this.#circuits = new ModelCircuits({ wall, log, times: this.#rules.circuit, stored: this.#queue.circuits(), save: (model, circuit) => this.#queue.setCircuit(model, circuit) });
  }

  // How signals come in.

  /**
   * Takes new signals in: each waits from now on, or has its outcome at once. Belongs into the transaction that stores them (`StateStore.commit`), so that a signal is never stored without
   * being taken in. Makes no call and waits for nothing. What it answers goes to `admitted` once the transaction is through.
   */
  admit(signals: readonly Signal[]): AnalysisOutcome[] {
    return this.#queue.transaction(() => signals.flatMap((signal) => {
      if (this.#queue.knows(signal.id)) return [];
      const admitted = admit(signal, this.#options.trader(signal.traderId, signal.traderVersion));
      // What its own candle took back is not worth a call.
      const takenBack = signal.phase === 'withdrawn' ? this.#queue.waitingWith(signal).flatMap((task) => this.#books.close(task.signal, 'withdrawn', NO_DECISION.withdrawn)) : [];
      if ('reason' in admitted) return [...takenBack, ...this.#books.close(signal, admitted.reason, admitted.message)];
      this.#queue.add(admitted.task);
      return takenBack;
    }));
  }

  /** The transaction of `admit` is through: its outcomes are told, and what waits gets its turn. */
  admitted(outcomes: readonly AnalysisOutcome[]): void {
    this.#tell(outcomes);
    this.#pump();
  }

  /** The traders that run: what waits for others ends. */
  setTraders(ids: readonly string[]): void {
    this.#traders = ids;
    this.#look();
  }

  // How calls are let through.

  #pump(): void {
    const passes = this.#passes;
    if (!passes || this.#paused || this.#ending) return;
    const free = passes.free(this.#share.concurrency);
    if (free > 0 && this.#disk.usable && !this.#learning) {
      const ready = this.#ready(passes.queued + free)?.length ?? 0;
      for (let more = Math.min(free, ready - passes.queued); more > 0; more--) passes.ask();
    }
    this.#lookLater();
  }

  /** What was used elsewhere today is still being asked: nobody knows yet whether a call is within the caps. */
  get #learning(): boolean {
    return this.#options.learning?.() ?? false;
  }

  /** A pass has begun: only now is it decided who goes, whoever is the most urgent when there is room. */
  async #pass(): Promise<boolean> {
    const claimed = this.#claimNext();
    if (claimed) await this.#perform(claimed);
    return claimed !== undefined;
  }

  #passEnded(error: unknown): void {
    if (error !== undefined) this.#failed(error);
    this.#pump();
  }

  #failed(error: unknown): void {
    this.#options.log('error', codeOf(error), `The analysis failed: ${sentenceOf(error)}`);
  }

  /** The next tasks; undefined when the disk fails. */
  #ready(limit: number): Task[] | undefined {
    const found = this.#disk.read(() => this.#queue.ready(this.#options.wall.epoch(), { own: this.#options.model(), blocked: this.#circuits.blocked() }, limit));
    return found === DISK_FAILING ? undefined : found;
  }

  // How one is made and ends.

  /** Claims the most urgent task that needs a call; on the way it ends or puts back those that need none. */
  #claimNext(): Claimed | undefined {
    const { wall } = this.#options;
    for (const until = wall.now() + TURN_MS; wall.now() < until && !this.#paused && !this.#ending && !this.#learning;) {
      const task = this.#ready(1)?.[0];
      if (!task) return undefined;
      const step = this.#disk.transaction(() => this.#claim(task), true);
      if (step === DISK_FAILING) return undefined;
      this.#tell(step.outcomes);
      if (step.claimed) return step.claimed;
    }
    return undefined;
  }

  #claim(task: Task): { claimed?: Claimed; outcomes: AnalysisOutcome[] } {
    const { wall, market, access, model, caps, prompt = CURRENT_PROMPT, prices = MODEL_PRICES } = this.#options;
    const now = wall.epoch();
    const day = dayOf(now);
    const plan = planTask(task, {
      market, access: access(), ownModel: model(), day, caps: caps(), used: this.#queue.used(day), prompt, prices, rules: this.#rules,
      answered: (key) => this.#queue.answered(key), asking: (key) => this.#asking.has(key),
    });
    switch (plan.do) {
      case 'close':
        if (plan.reason === 'cap') this.#sayCap(day, plan.message);
        return { outcomes: this.#books.close(task.signal, plan.reason, plan.message) };
      case 'wait':
        this.#queue.putBack(task.signalId, { now, forMs: plan.ms, problem: plan.problem });
        return { outcomes: [] };
      case 'reuse':
        return { outcomes: this.#books.decide(task, { ...plan.decision, metadata: { ...plan.decision.metadata, cached: true } }, false, plan.key) };
      case 'call': {
        const { question } = plan;
        // Where another machine asked about the same signal, its calls have their ids.
        let attempt = task.calls + 1;
        while (this.#queue.hasCall(callId(task.signalId, attempt))) attempt += 1;
        const call: RunningCall = {
          id: callId(task.signalId, attempt), signalId: task.signalId, attempt, model: question.request.model, promptVersion: question.promptVersion,
          promptHash: question.promptHash, day, startedAt: now, latencyMs: 0, ...question.most, estimated: true,
        };
        return { outcomes: [], ...(this.#queue.claim(call) && { claimed: { task: { ...task, calls: task.calls + 1 }, question, call } }) };
      }
    }
  }

  /** Asks, and writes down what came of it. Where the disk fails meanwhile that is waited for: the answer has been paid. */
  async #perform(claimed: Claimed): Promise<void> {
    const { wall, log, client } = this.#options;
    const { key, request: { model } } = claimed.question;
    const abort = new AbortController();
    this.#asking.set(key, abort);
    this.#circuits.began(model);
    const asked = await askModel(client, claimed.question, abort, this.#rules.timeoutMs, wall.now);
    this.#circuits.ended(model);
    if (asked.answer instanceof ModelError) this.#circuits.failed(model, asked.answer);
    else this.#circuits.answered(model);
    for (;;) {
      const outcomes = this.#disk.transaction(() => this.#settle(claimed, asked), true);
      if (outcomes !== DISK_FAILING) {
        this.#asking.delete(key);
        return this.#tell(outcomes);
      }
      if (!(await pause(DISK_RETRY_MS, this.#giveUp.signal))) return log('error', 'disk_failing', 'The end of a call could not be written; the next start will take it for broken off.');
    }
  }

  /** What the call used, and what becomes of its task. */
  #settle({ task, question, call }: Claimed, { answer, used, latencyMs }: Asked): AnalysisOutcome[] {
    const { wall, market } = this.#options;
    const { price, most, levels, key } = question;
    const { tokensIn, tokensOut } = used ?? most;
    const failed = answer instanceof ModelError;
    this.#books.settle(call, { latencyMs, tokensIn, tokensOut, nanoUsd: costOf(price, tokensIn, tokensOut), estimated: used === undefined, result: failed ? answer.result : 'answered' });
    if (!failed) {
      const decision = decisionOf(answer, levels, { latencyMs, tokens: tokensIn + tokensOut, model: call.model, prompt: call.promptVersion, cached: false });
      return this.#books.decide(task, decision, (market.now() ?? 0) > task.deadline, key);
    }
    const plan = planAfterFailure(task, answer, wall.random(), this.#rules);
    if (plan.do === 'close') return this.#books.close(task.signal, plan.reason, plan.message);
    this.#queue.putBack(task.signalId, { now: wall.epoch(), forMs: plan.ms, problem: plan.problem, invalid: answer.result === 'invalid' });
    return [];
  }

  // What ends without one.

  #lookLater(): void {
    if (this.#timer || this.#ending) return;
    const { wall } = this.#options;
    const now = wall.epoch();
    const next = this.#disk.read(() => (this.#queue.anyWaiting() ? (this.#queue.nextAt(now) ?? Infinity) - now : undefined));
    if (next === undefined) return;
    const wait = next === DISK_FAILING ? DISK_RETRY_MS : Math.max(SOONEST_LOOK_MS, Math.min(this.#rules.lookMs, next));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#look();
      } catch (error) {
        this.#failed(error);
        this.#lookLater();
      }
    }, wait).unref();
  }

  #look(): void {
    if (!this.#gate || this.#ending) return;
    const { wall, market, access, model } = this.#options;
    const wallNow = wall.epoch();
    const context = { wallNow, marketNow: market.now(), rate: market.rate(), hasKey: access().state !== 'none', ownModel: model(), circuits: this.#circuits.open(), traders: this.#traders };
    const outcomes = this.#disk.transaction(() => {
      if (wall.now() >= this.#pruneAt) {
        this.#pruneAt = wall.now() + PRUNE_EVERY_MS;
        this.#queue.prune(wallNow - KEPT_MS, KEPT, dayOf(wallNow - DAY_MS));
      }
      return sweep(this.#queue, this.#books, context, AT_A_TURN);
    }, false);
    if (outcomes !== DISK_FAILING) this.#tell(outcomes);
    this.#pump();
  }

  // What it says of itself, and what it is told.

  state(): AnalyzerState {
    const { waiting, claimed, oldestCloseTime } = this.#queue.counts();
    const day = dayOf(this.#options.wall.epoch());
    const { calls, tokens, nanoUsd } = this.#queue.used(day);
    return { waiting, running: claimed, oldestCloseTime, circuits: this.#circuits.open(), today: { day, calls, tokens, usd: nanoUsd / 1e9 }, caps: this.#options.caps() };
  }

  /** What is wrong, each with a code and a sentence. */
  problems(): { code: string; message: string }[] {
    const found = this.#circuits.open().map(({ model, until, message }) => ({ code: 'analysis_circuit', message: `The model ${model} is not asked until ${new Date(until).toISOString()}. ${message}` }));
    if (this.#capReached && this.#capHolds(this.#capReached)) found.push({ code: 'analysis_cap', message: this.#capReached.message });
    if (this.#disk.problem !== undefined) found.push({ code: 'disk_failing', message: `The analysis cannot write to the data folder: ${this.#disk.problem}` });
    return found;
  }

  /** The outcome of a signal; undefined while it waits. */
  outcome(signalId: string): AnalysisOutcome | undefined {
    return this.#queue.outcome(signalId);
  }

  /** Newest first. */
  outcomes(limit: number): AnalysisOutcome[] {
    return this.#queue.outcomes(limit);
  }

  /** Calls of this user that the database knows: those not known here count from now on. False where they could not be written down. */
  learn(calls: readonly KnownCall[]): boolean {
    if (this.#disk.transaction(() => { this.#queue.learn(calls, dayOf); }, false) === DISK_FAILING) return false;
    this.#look();
    return true;
  }

  #sayCap(day: string, message: string): void {
    if (!this.#capReached || !this.#capHolds(this.#capReached)) this.#options.log('warn', 'analysis_cap', message);
    this.#capReached = { day, caps: this.#options.caps(), message };
  }

  /** A new day or another cap: what was reached says nothing any more. */
  #capHolds({ day, caps }: { day: string; caps: Caps }): boolean {
    const { tokensPerDay, usdPerDay } = this.#options.caps();
    return day === dayOf(this.#options.wall.epoch()) && caps.tokensPerDay === tokensPerDay && caps.usdPerDay === usdPerDay;
  }

  #tell(outcomes: readonly AnalysisOutcome[]): void {
    for (const outcome of outcomes) this.#options.onOutcome?.(outcome);
  }

  // How all begins and ends.

  /** Resolves what the last run was in the middle of, and begins to make calls. */
  start(): void {
    if (this.#gate || this.#ending) return;
    const { wall, log } = this.#options;
    const now = wall.epoch();
    const recovered = this.#disk.transaction(() => recover(this.#queue, this.#books, now, this.#share.perMs, this.#rules.mostCalls), false);
    if (recovered === DISK_FAILING) {
      setTimeout(() => this.start(), DISK_RETRY_MS).unref();
      return;
    }
    const { ends, brokenOff, outcomes } = recovered;
    if (brokenOff > 0) log('warn', 'analysis_recovered', `${brokenOff} analyses had been broken off by the end of the last run; ${brokenOff - outcomes.length} are made once more.`);
    // What was under way at the end of the last run has ended by now.
    this.#gate = new CallGate(this.#share, [...ends.map((end) => Math.max(0, now - end)), ...Array.from({ length: brokenOff }, () => 0)]);
    this.#passes = new Passes(this.#gate, () => this.#pass(), (error) => this.#passEnded(error));
    this.#tell(outcomes);
    this.#look();
  }

  /** While paused no call begins; those under way go on, and signals still come in. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#pump();
  }

  /** Another share from now on. */
  setShare(share: Pick<Share, 'concurrency' | 'calls'>): void {
    this.#share = { ...this.#share, ...share };
    void this.#gate?.setShare(share).then(() => this.#pump());
  }

  /** The user's keys were fetched anew. Is the key or the model another one (or there at last), circuits are closed, for what they said may not be true any more. */
  accessChanged(): void {
    const access = JSON.stringify([this.#options.access(), this.#options.model()]);
    if (access !== this.#knownAccess) this.#circuits.reset();
    this.#knownAccess = access;
    this.#look();
  }

  /** Begins no call any more; those under way may end within the grace, then they are given up and wait for the next start. */
  async stop(): Promise<void> {
    this.#ending = true;
    clearTimeout(this.#timer);
    const grace = setTimeout(() => {
      for (const abort of this.#asking.values()) abort.abort();
      this.#giveUp.abort();
    }, this.#rules.graceMs);
    await this.#gate?.stop();
    await this.#passes?.ended();
    clearTimeout(grace);
  }
}

const callId = (signalId: string, attempt: number): string => uuidV5(`${signalId}:${attempt}`, CALL_NAMESPACE);
const dayOf = (epoch: number): string => new Date(epoch).toISOString().slice(0, 10);
