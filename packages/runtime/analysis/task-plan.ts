import { createHash } from 'node:crypto';
import { costOf, NO_DECISION, priceOf, type Decision, type ModelPrice, type NoDecisionReason } from '@trademind/core';
import { analysisInput } from './analysis-input.ts';
import type { Task, Used } from './analysis-queue.ts';
import type { AccessState, CallRules, Caps } from './analyzer-options.ts';
import { ANSWER_SCHEMA } from './answer.ts';
import type { Levels } from './levels.ts';
import type { MarketView } from './market-view.ts';
import type { ModelAccess, ModelError, ModelRequest } from './model-client.ts';
import type { Prompt } from './prompts/prompt.ts';

/** How long to wait until something that is missing is looked for again, ms. */
const SOON_MS = 250;
const LATER_MS = 1_000;
/** However long a model says that it will be. */
const LONGEST_WAIT_MS = 600_000;

/** One question to a model, ready to be asked. */
export interface Question {
  request: ModelRequest;
  access: ModelAccess;
  levels: Levels;
  promptVersion: string;
  promptHash: string;
  /** What makes two questions the same: trader version, symbol, interval, candle, model and all that is sent. */
  key: string;
  price: ModelPrice;
  /** The most that the call can use: a token is at least a byte of what is sent. */
  most: { tokensIn: number; tokensOut: number; nanoUsd: number };
}

/** What is to be done with a task now. */
export type TaskPlan =
  | { do: 'close'; reason: NoDecisionReason; message: string }
  | { do: 'wait'; ms: number; problem: string }
  | { do: 'reuse'; decision: Decision; key: string }
  | { do: 'call'; question: Question };

export interface PlanContext {
  market: MarketView;
  access: AccessState;
  ownModel: string;
  day: string;
  caps: Caps;
  used: Used & { reserved: Omit<Used, 'calls'> };
  prompt: Prompt;
  prices: readonly ModelPrice[];
  rules: Pick<CallRules, 'maxOutputTokens'>;
  answered: (key: string) => Decision | undefined;
  asking: (key: string) => boolean;
}

const close = (reason: NoDecisionReason, more = ''): TaskPlan => ({ do: 'close', reason, message: `${NO_DECISION[reason]}${more && ` ${more}`}` });
const wait = (ms: number, problem: string): TaskPlan => ({ do: 'wait', ms, problem });

/** Decides what happens to a task whose turn it is. Changes nothing. */
export function planTask(task: Task, at: PlanContext): TaskPlan {
  const now = at.market.now();
  if (now === undefined) return wait(LATER_MS, 'The exchange has not told its time yet.');
  if (now > task.deadline) return close('stale', task.problem ?? '');
  if (at.access.state === 'none') return close('no_key');
  if (at.access.state === 'waiting') return wait(LATER_MS, 'The key for the model has not come yet.');

  const model = task.model ?? at.ownModel;
  const price = priceOf(model, at.day, at.prices);
  if (!price) return close('no_price', `Name another model than ${model}, or give its price.`);
  // What is surely too much is seen before anything is computed.
  const least = { tokensIn: Buffer.byteLength(at.prompt.system), tokensOut: at.rules.maxOutputTokens };
  const beyond = beyondCaps({ ...least, nanoUsd: costOf(price, least.tokensIn, least.tokensOut) }, at);
  if (beyond) return beyond;
  const found = analysisInput(task.signal, task.brief, at.market);
  if ('waits' in found) return wait(LATER_MS, 'Its candle is not stored yet.');
  if ('none' in found) return close(found.none);

  const question = ask(task, model, price, found, at);
  const decision = at.answered(question.key);
  if (decision) return { do: 'reuse', decision, key: question.key };
  if (at.asking(question.key)) return wait(SOON_MS, 'The same question is being asked.');
  return beyondCaps(question.most, at) ?? { do: 'call', question };
}

function ask(task: Task, model: string, price: ModelPrice, found: Extract<ReturnType<typeof analysisInput>, { input: unknown }>, at: PlanContext): Question {
  const { signal } = task;
  const { maxOutputTokens } = at.rules;
  const request: ModelRequest = { model, system: at.prompt.system, prompt: at.prompt.render(found.input), schema: ANSWER_SCHEMA, maxOutputTokens };
  const sent = JSON.stringify(request);
  const promptHash = createHash('sha256').update(sent).digest('hex');
  const tokensIn = Buffer.byteLength(sent);
  return {
    request, access: at.access as ModelAccess, levels: found.levels, promptVersion: at.prompt.version, promptHash, price,
    key: [signal.traderId, signal.traderVersion, signal.symbol, signal.interval, signal.closeTime, model, promptHash].join(':'),
    most: { tokensIn, tokensOut: maxOutputTokens, nanoUsd: costOf(price, tokensIn, maxOutputTokens) },
  };
}

/** What calls under way have reserved may still come back: only what is used up for good ends a task. */
function beyondCaps(most: Question['most'], { caps, used }: PlanContext): TaskPlan | undefined {
  const tokens = most.tokensIn + most.tokensOut;
  const nanoCap = caps.usdPerDay * 1e9;
  if (used.tokens + tokens <= caps.tokensPerDay && used.nanoUsd + most.nanoUsd <= nanoCap) return undefined;
  const fitsLater = used.tokens - used.reserved.tokens + tokens <= caps.tokensPerDay && used.nanoUsd - used.reserved.nanoUsd + most.nanoUsd <= nanoCap;
  if (fitsLater) return wait(SOON_MS, 'The calls under way may use what is left of the daily cap.');
  return close('cap', `Used today (UTC): ${used.tokens}${Number.isFinite(caps.tokensPerDay) ? ` of ${caps.tokensPerDay}` : ''} tokens, $${(used.nanoUsd / 1e9).toFixed(4)} of $${caps.usdPerDay}; this call may take ${tokens} tokens, $${(most.nanoUsd / 1e9).toFixed(4)}.`);
}

/** What becomes of a task whose call failed: it is asked again after a while, or that was it. `random` in [0, 1). */
export function planAfterFailure(task: Pick<Task, 'calls' | 'invalid'>, error: ModelError, random: number, rules: Pick<CallRules, 'mostCalls' | 'retryFirstMs' | 'retryMostMs'>): Exclude<TaskPlan, { do: 'call' | 'reuse' }> {
  const after = (reason: NoDecisionReason): TaskPlan => close(reason, error.message);
  const again = (reason: NoDecisionReason): TaskPlan => {
    if (task.calls >= rules.mostCalls) return after(reason);
    const ceiling = Math.min(rules.retryMostMs, rules.retryFirstMs * 2 ** (task.calls - 1));
    return wait(Math.min(LONGEST_WAIT_MS, Math.max(error.retryAfterMs ?? 0, ceiling * (0.5 + random / 2))), error.message);
  };
  const plan = ((): TaskPlan => {
    switch (error.result) {
      case 'invalid': return task.invalid > 0 ? after('invalid_answer') : again('invalid_answer');
      case 'blocked':
      case 'bad_request': return after('refused');
      case 'rate_limited': return again('rate_limited');
      // The circuit is open now: it waits there until that is over, or until it is stale.
      case 'quota_exhausted':
      case 'key_refused':
      case 'unknown_model': return again('circuit');
      case 'server_error':
      case 'timeout':
      case 'network':
      case 'aborted': return again('failed');
    }
  })();
  return plan as Exclude<TaskPlan, { do: 'call' | 'reuse' }>;
}
