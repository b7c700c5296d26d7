import { codeOf } from '@trademind/core';
import { readAnswer } from './answer.ts';
import { ModelError, type ModelAnswer, type ModelClient, type ModelUsage } from './model-client.ts';
import type { Question } from './task-plan.ts';

/** What came of a call: an answer in the agreed form or why there is none, and what it used; `used` is undefined where only the most is known that it can have been. */
export interface Asked { answer: Extract<ReturnType<typeof readAnswer>, { answer: unknown }>['answer'] | ModelError; used: ModelUsage | undefined; latencyMs: number }

/** Asks and reads the answer; never rejects. The call ends with the time that it may take, or when `abort` does, also where the client does not listen. `now`: ms that never jump. */
export async function askModel(client: ModelClient, { request, access }: Question, abort: AbortController, timeoutMs: number, now: () => number): Promise<Asked> {
  const began = now();
  let timedOut = false;
  const timer = setTimeout(() => { timedOut = true; abort.abort(); }, timeoutMs);
  const givenUp = new Promise<never>((_, reject) => {
    abort.signal.addEventListener('abort', () => setImmediate(() => reject(new ModelError('aborted', 'The call was given up.', { used: 'unknown' }))), { once: true });
  });
  givenUp.catch(() => undefined);
  const asked = await Promise.race([(async () => client.generate(request, access, abort.signal))(), givenUp]).catch((error: unknown) => errorOf(error));
  clearTimeout(timer);
  const result = timedOut && asked instanceof ModelError && asked.result === 'aborted' ? new ModelError('timeout', `The model did not answer within ${timeoutMs / 1_000} s.`, { used: asked.used }) : asked;
  return { ...(result instanceof ModelError ? { answer: result, used: usedOf(result) } : { answer: formOf(result), used: result.used }), latencyMs: Math.round(now() - began) };
}

const errorOf = (error: unknown): ModelError => (error instanceof ModelError ? error : new ModelError('network', `The call failed (${codeOf(error)}).`, { used: 'unknown', cause: error }));

function usedOf({ used }: ModelError): ModelUsage | undefined {
  return used === 'nothing' ? { tokensIn: 0, tokensOut: 0 } : used === 'unknown' ? undefined : used;
}

function formOf({ text, finish }: ModelAnswer): Asked['answer'] {
  const read = readAnswer(text);
  return 'answer' in read ? read.answer : new ModelError('invalid', `The answer was not in the agreed form (${read.wrong}${finish === 'STOP' ? '' : `; it ended with ${finish.slice(0, 40)}`}).`);
}
