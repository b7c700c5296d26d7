import { Readiness, TradeMindError } from '@trademind/core';

/**
 * Asks a machine's `/ready`. Any machine that answers can be connected to, for its feed tells the rest; before that a name may not resolve yet,
 * or a proxy may answer for a machine that is not there. Throws TradeMindError when it is not the machine that answers.
 */
export async function probeMachine(call: typeof fetch, url: string, timeoutMs: number, signal: AbortSignal): Promise<Readiness> {
  let body: unknown;
  try {
    const answer = await call(`${url}/ready`, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
    body = await answer.json();
  } catch (error) {
    throw unreachable(error);
  }
  const parsed = Readiness.safeParse(body);
  if (!parsed.success) throw unreachable();
  return parsed.data;
}

function unreachable(cause?: unknown): TradeMindError {
  return new TradeMindError({ code: 'machine_unreachable', message: 'The machine does not answer yet.', cause });
}
