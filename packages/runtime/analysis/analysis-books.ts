import type { AnalysisCall, AnalysisOutcome, Decision, NoDecisionReason, Signal } from '@trademind/core';
import { decided, noDecision } from './admission.ts';
import type { AnalysisQueue, RunningCall, Task } from './analysis-queue.ts';
import type { AnalyzerOptions } from './analyzer-options.ts';

/** Writes facts, each here and with whoever records them, inside the transaction of its caller. What it answers is to be told once that is through. */
export class AnalysisBooks {
  readonly #queue: AnalysisQueue;
  readonly #options: Pick<AnalyzerOptions, 'wall' | 'record'>;

  constructor(queue: AnalysisQueue, options: Pick<AnalyzerOptions, 'wall' | 'record'>) {
    this.#queue = queue;
    this.#options = options;
  }

  /** The signal gets no decision. */
  close(signal: Signal, reason: NoDecisionReason, message: string): AnalysisOutcome[] {
    return this.#keep(noDecision(signal, this.#options.wall.epoch(), reason, message), null);
  }

  /** The task is decided. `late`: after the trader's expiry; `question`: what was asked. */
  decide(task: Task, decision: Decision, late: boolean, question: string): AnalysisOutcome[] {
    return this.#keep(decided(task, this.#options.wall.epoch(), decision, late), question);
  }

  settle({ day, ...before }: RunningCall, end: Pick<AnalysisCall, 'latencyMs' | 'tokensIn' | 'tokensOut' | 'nanoUsd' | 'estimated' | 'result'>): void {
    const call = { ...before, ...end };
    this.#queue.settle({ ...before, day }, call);
    this.#options.record?.call(call);
  }

  #keep(outcome: AnalysisOutcome, question: string | null): AnalysisOutcome[] {
    if (!this.#queue.close(outcome, question)) return [];
    this.#options.record?.outcome(outcome);
    return [outcome];
  }
}
