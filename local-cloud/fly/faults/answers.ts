import { ApiError } from '../api-error.ts';
import type { Fate } from '../pass.ts';
import type { ApiAnswer } from '../route.ts';
import type { OrderOf, RequestOrder } from './kinds.ts';

/** What Fly says with a status, unless the fault says otherwise. */
const WORDS: Readonly<Record<number, string>> = {
  401: 'token validation error: no verified tokens', 403: 'unauthorized: your organization has reached its quota', 404: 'machine not found',
  408: 'deadline_exceeded: request timed out', 409: 'aborted: conflict', 412: "failed_precondition: unable to start machine from current state: 'replacing'",
  422: 'invalid_argument: invalid config', 429: 'rate limit exceeded', 500: 'internal: server error', 502: 'bad gateway', 503: 'unavailable: host unreachable', 504: 'upstream request timeout',
};
const HTML = (status: number) => `<html>\r\n<head><title>${status}</title></head>\r\n<body><center><h1>${status}</h1></center></body>\r\n</html>\r\n`;

function retryAfter(order: OrderOf<'status'>, now: number): Record<string, string> | undefined {
  if (order.retryAfter === undefined) return undefined;
  return { 'retry-after': order.asDate ? new Date(now + order.retryAfter * 1000).toUTCString() : String(order.retryAfter) };
}

/** The refusal that a `status` fault puts in the place of doing anything. */
export function statusError(order: OrderOf<'status'>, now: number): ApiError {
  return new ApiError(order.status, order.error ?? WORDS[order.status] ?? `error ${order.status}`, order.word, retryAfter(order, now));
}

/** What the caller is told of something that was done. */
export function spoil(answer: ApiAnswer, orders: readonly RequestOrder[], now: number): Fate {
  const has = (kind: RequestOrder['kind']) => orders.some((order) => order.kind === kind);
  if (has('lost-answer')) return { kind: 'cut-off' };
  if (has('hang')) return { kind: 'silence' };
  const lie = orders.find((order): order is OrderOf<'status'> => order.kind === 'status');
  if (lie) {
    const error = statusError(lie, now);
    return lie.html ? { kind: 'text', status: lie.status, text: HTML(lie.status), type: 'text/html', headers: error.headers } : { kind: 'answer', ...error.answer() };
  }
  const text = answer.body === undefined ? '' : JSON.stringify(answer.body);
  if (has('garbled')) return { kind: 'text', status: answer.status, text: `${text.slice(0, text.length >> 1)}\u0001${text.slice((text.length >> 1) + 1)}`, type: 'application/json', headers: answer.headers };
  if (has('cut')) return { kind: 'text', status: answer.status, text: text.slice(0, text.length >> 1), type: 'application/json', headers: answer.headers, length: Math.max(text.length, 2) };
  return { kind: 'answer', ...answer };
}
