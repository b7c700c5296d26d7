import { codeOf, sentenceOf, type NotificationChannel } from '@trademind/core';
import { channelRefused, later, numberIn, objectIn, TIMEOUT_MS, type Delivery, type DeliveryContext } from './delivery.ts';
import { guardedPost, type PostAnswer } from './guarded-post.ts';
import { signed } from './signing.ts';

/** Posts a body to a webhook, signed where it has a secret. Of its address only the host is said. Never rejects. */
export async function sendWebhook({ url, secret }: Extract<NotificationChannel, { kind: 'webhook' }>, id: string, body: string, { epoch, signal, allowPrivate, resolver }: DeliveryContext): Promise<Delivery> {
  const headers = { 'content-type': 'application/json', 'user-agent': 'TradeMind', ...(secret !== undefined && signed(id, epoch(), body, secret)) };
  try {
    return readAnswer(new URL(url).host, await guardedPost(url, { headers, body, timeoutMs: TIMEOUT_MS, signal, allowPrivate, ...(resolver && { resolver }) }));
  } catch (error) {
    const code = codeOf(error);
    return { kind: code === 'address_refused' ? 'channel_refused' : 'retry', code, message: sentenceOf(error) };
  }
}

/** What a receiver's answer means. Pure. */
export function readAnswer(host: string, { status, retryAfterS, body }: PostAnswer): Delivery {
  if (status >= 200 && status < 300) return { kind: 'sent' };
  // Discord says it in the body, to the millisecond.
  if (status === 429) return later('receiver_too_fast', `${host} asks for a slower pace.`, numberIn(objectIn(body), 'retry_after') ?? retryAfterS);
  if (status >= 500 || status === 408 || status === 425) return later('receiver_failing', `${host} answered HTTP ${status}.`, retryAfterS);
  if (status >= 300 && status < 400) return channelRefused('receiver_moved', `${host} answered with a redirect, which is not followed.`, 'Set the address that it leads to.');
  if ([401, 403, 404, 405, 410].includes(status)) return channelRefused('receiver_refused', `${host} answered HTTP ${status}.`, 'Check the address of the webhook; it may have been deleted.');
  return { kind: 'refused', code: 'receiver_message_refused', message: `${host} refused the message (HTTP ${status}).` };
}
