import { codeOf, type NotificationChannel } from '@trademind/core';
import { channelRefused, later, numberIn, objectIn, TIMEOUT_MS, type Delivery, type DeliveryContext } from './delivery.ts';
import { telegramBody } from './forms.ts';
import type { Message } from './templates.ts';

/** Sends a message by Telegram's Bot API. Its token is part of the path, for such is the API: neither address nor token is in any text. Never rejects. */
export async function sendTelegram({ botToken, chatId }: Extract<NotificationChannel, { kind: 'telegram' }>, message: Message, { telegramUrl, signal }: Pick<DeliveryContext, 'telegramUrl' | 'signal'>): Promise<Delivery> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let status: number;
  let text: string;
  try {
    const response = await fetch(`${telegramUrl}/bot${botToken}/sendMessage`, {
      method: 'POST', redirect: 'error', headers: { 'content-type': 'application/json' }, body: JSON.stringify(telegramBody(chatId, message)), signal: AbortSignal.any([signal, timeout]),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    if (timeout.aborted) return later('telegram_timeout', 'Telegram does not answer in time.');
    return later('telegram_unreachable', `Telegram cannot be reached (${codeOf((error as Error | null)?.cause ?? error)}).`);
  }
  return readAnswer(status, objectIn(text));
}

/** What Telegram's answer means. Pure. */
export function readAnswer(status: number, answer: Readonly<Record<string, unknown>>): Delivery {
  if (status === 200 && answer['ok'] === true) return { kind: 'sent' };
  const description = typeof answer['description'] === 'string' ? answer['description'].slice(0, 200) : `HTTP ${status}`;
  if (status === 429) return later('telegram_too_fast', 'Telegram asks for a slower pace.', numberIn(answer['parameters'], 'retry_after'));
  if (status >= 500 || status === 408 || status === 200) return later('telegram_failing', `Telegram answered HTTP ${status}.`);
  const movedTo = numberIn(answer['parameters'], 'migrate_to_chat_id');
  if (movedTo !== undefined) return channelRefused('telegram_chat_moved', 'The group has become a supergroup.', `Its chat id is now ${movedTo}: set that.`);
  if (status === 401 || status === 404) return channelRefused('telegram_token_refused', 'Telegram does not know this bot token.', 'Set the token that @BotFather gives.');
  if (status === 403) return channelRefused('telegram_chat_refused', `Telegram refuses this chat: ${description}.`, 'Open the chat with your bot and press Start, or add the bot to the group.');
  if (/chat not found|chat_id|peer_id|not enough rights/i.test(description)) return channelRefused('telegram_chat_unknown', `Telegram does not find this chat: ${description}.`, 'Write to your bot once, then set the chat id that it sees.');
  return { kind: 'refused', code: 'telegram_message_refused', message: `Telegram refused the message: ${description}.` };
}
