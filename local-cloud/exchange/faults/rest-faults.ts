import type { ServerResponse } from 'node:http';
import type { RestOrder } from './kinds.ts';

/** An answer that is ready to be sent. */
export interface Answer { status: number; headers: Record<string, string>; text: string }

const HTML = '<html>\r\n<head><title>Service unavailable</title></head>\r\n<body><center><h1>Service unavailable</h1></center></body>\r\n</html>\r\n';
const DEFAULT_RETRY_AFTER = 5;

/** The body that Binance, or what stands before it, gives with such a status. */
function words(status: number): { code: number; msg: string } {
  if (status === 429) return { code: -1003, msg: 'Too many requests; current limit of IP is 6000 requests per minute. Please use WebSocket Streams for live updates to avoid polling the API.' };
  if (status === 418) return { code: -1003, msg: 'Way too much request weight used; IP banned. Please use WebSocket Streams for live updates to avoid bans.' };
  if (status === 451) return { code: 0, msg: "Service unavailable from a restricted location according to 'b. Eligibility' in the terms of use. Please contact customer service if you believe you received this message in error." };
  if (status === 503) return { code: -1008, msg: 'Server is currently overloaded with other requests. Please try again in a few minutes.' };
  return { code: -1000, msg: 'An unknown error occurred while processing the request.' };
}

/** The answer that a `rest-status` fault puts in the place of the true one; null when there is no such fault. */
export function statusAnswer(orders: readonly RestOrder[]): Answer | null {
  const order = orders.find((one) => one.kind === 'rest-status');
  if (!order) return null;
  const { status, html } = order;
  const retryAfter = order.retryAfter ?? (status === 429 || status === 418 ? DEFAULT_RETRY_AFTER : undefined);
  return {
    status,
    headers: { 'content-type': html ? 'text/html' : 'application/json;charset=UTF-8', ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }) },
    text: html ? HTML : JSON.stringify(words(status)),
  };
}

/** Sends the answer as the faults will have it: late, never, cut off, spoiled. */
export function sendFaulty(response: ServerResponse, answer: Answer, orders: readonly RestOrder[]): void {
  const slow = orders.reduce((sum, order) => sum + (order.kind === 'rest-slow' ? order.ms : 0), 0);
  if (slow === 0) act();
  else {
    const timer = setTimeout(act, slow);
    response.once('close', () => clearTimeout(timer));
  }

  function act(): void {
    const has = (kind: RestOrder['kind']) => orders.some((order) => order.kind === kind);
    if (has('rest-hang')) return;
    if (has('rest-reset')) {
      response.destroy();
      return;
    }
    const { text } = answer;
    const middle = text.length >> 1;
    response.writeHead(answer.status, answer.headers);
    if (has('rest-truncate')) response.end(text.slice(0, middle));
    else if (has('rest-corrupt')) response.end(`${text.slice(0, middle)}\u0001${text.slice(middle + 1)}`);
    else response.end(text);
  }
}
