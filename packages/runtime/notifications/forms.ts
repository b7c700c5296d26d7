import type { NotificationEvent } from '@trademind/core';
import { cut, type Message, type Tone } from './templates.ts';

/** Telegram takes 4,096 characters after its entities are parsed; what is beyond is cut off whole lines first. */
const TELEGRAM_LENGTH = 4_000;
const DISCORD_LENGTH = 4_000;
const SLACK_LENGTH = 2_900;

const html = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
/** Letters that begin something in Discord's markup; a zero-width space takes mentions their effect beside `allowed_mentions`. */
const markdown = (text: string): string => text.replaceAll(/[\\*_~`|>#[\]()]/g, String.raw`\$&`).replaceAll('@', '@\u200B');
/** Slack's three control characters; its other marks are switched off by `verbatim` and plain text. */
const slack = (text: string): string => html(text);

/** `sendMessage` of Telegram's Bot API. */
export function telegramBody(chatId: string, message: Message): Record<string, unknown> {
  const lines = [`<b>${html(cut(message.title, 200))}</b>`, ...message.lines.map(html)];
  return { chat_id: chatId, text: fitted(lines, TELEGRAM_LENGTH), parse_mode: 'HTML', link_preview_options: { is_disabled: true }, disable_notification: message.tone === 'plain' };
}

const COLOURS: Readonly<Record<Tone, number>> = { good: 0x2fb67c, warn: 0xe0a030, bad: 0xe05252, plain: 0x6ea8ff };

/** What Discord's webhooks take. Nobody is mentioned, whatever the text says. */
export function discordBody(message: Message): Record<string, unknown> {
  return {
    username: 'TradeMind', allowed_mentions: { parse: [] },
    embeds: [{ title: markdown(cut(message.title, 120)), description: fitted(message.lines.map(markdown), DISCORD_LENGTH), color: COLOURS[message.tone], timestamp: new Date(message.at).toISOString() }],
  };
}

/** What Slack's incoming webhooks take. */
export function slackBody(message: Message): Record<string, unknown> {
  const title = slack(cut(message.title, 150));
  return {
    text: title, unfurl_links: false, unfurl_media: false,
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: cut(message.title, 150), emoji: false } },
      { type: 'section', text: { type: 'mrkdwn', text: fitted(message.lines.map(slack), SLACK_LENGTH) || title, verbatim: true } },
    ],
  };
}

/** The event as it is, for programs. */
export function jsonBody(event: NotificationEvent, machineId: string, missed: number): Record<string, unknown> {
  const { kind, id, at, ...data } = event;
  return { type: `trademind.${kind}`, id, timestamp: new Date(at).toISOString(), machine: machineId, data, ...(missed > 0 && { missed }) };
}

/** Whole lines as far as they fit, and how many are left out. A line that is too long by itself is cut. */
function fitted(lines: readonly string[], length: number): string {
  const kept: string[] = [];
  let used = 0;
  for (const line of lines) {
    const room = length - used - 40;
    if (line.length > room && kept.length > 0) return [...kept, `… and ${lines.length - kept.length} more`].join('\n');
    kept.push(line.length > room ? cut(line, room) : line);
    used += line.length + 1;
  }
  return kept.join('\n');
}
