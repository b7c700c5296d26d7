import type { NotificationChannel, NotificationEvent } from '@trademind/core';
import type { Delivery, DeliveryContext } from './delivery.ts';
import { discordBody, jsonBody, slackBody } from './forms.ts';
import { sendTelegram } from './telegram.ts';
import { digestOf, messageOf, withMissed } from './templates.ts';
import { sendWebhook } from './webhook.ts';

/** Whether a channel takes several events as one message: people do, programs do not. */
export const takesDigests = (channel: NotificationChannel): boolean => channel.kind === 'telegram' || channel.form !== 'json';

/** Sends events to a channel in one request: one as it is, several as a digest. `missed`: how many never came before. Never rejects. */
export function deliver(channel: NotificationChannel, events: readonly NotificationEvent[], missed: number, context: DeliveryContext): Promise<Delivery> {
  const first = events[0]!;
  if (channel.kind === 'webhook' && channel.form === 'json') return sendWebhook(channel, first.id, JSON.stringify(jsonBody(first, context.machineId, missed)), context);
  const messages = events.map(messageOf);
  const message = withMissed(messages.length === 1 ? messages[0]! : digestOf(messages, context.epoch()), missed);
  if (channel.kind === 'telegram') return sendTelegram(channel, message, context);
  return sendWebhook(channel, first.id, JSON.stringify(channel.form === 'discord' ? discordBody(message) : slackBody(message)), context);
}
