import type { NotificationEvent } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testSignal } from '../../../tests/support/feed.ts';
import { discordBody, jsonBody, slackBody, telegramBody } from './forms.ts';
import { signed } from './signing.ts';
import { digestOf, messageOf, number, withMissed } from './templates.ts';

const AT = Date.UTC(2026, 9, 10, 12, 35);
const signal = (over: Parameters<typeof testSignal>[0] = {}): NotificationEvent => ({ kind: 'signal', id: 's1', at: AT, signal: testSignal({ closeTime: AT, ...over }) });
const decision: NotificationEvent = {
  kind: 'decision', id: 'd1', at: AT, traderId: 'a', traderName: 'RSI dip', signalId: 'b', symbol: 'BTCUSDT', interval: '5m', side: 'long', decision: 'enter_trade', confidence: 81.4, reasoning: 'Momentum turns.', levels: { entry: 64_250.5, stopLoss: 63_900, takeProfit: [64_800, 65_300] },
};

describe('every event in words', () => {
  test('a signal names side, price, trader, candle and what held with its numbers', () => {
    expect(messageOf(signal())).toEqual({ at: AT, tone: 'good', title: 'Long BTCUSDT at 64,250.5', short: 'Long BTCUSDT at 64,250.5 · RSI dip · 5m', lines: ['RSI dip · 5m candle closed 2026-10-10 12:35 UTC', '✓ oversold: rsi(14) = 28.43'] });
  });
  test('a decision names the verdict, how sure it is, and the levels', () => {
    expect(messageOf(decision)).toMatchObject({ title: 'Enter: long BTCUSDT (81 % sure)', lines: ['RSI dip · 5m', 'Entry 64,250.5 · stop 63,900 · targets 64,800, 65,300', 'Momentum turns.'] });
  });
  test('a position names the event, whether it is paper, and profit or loss', () => {
    const position: NotificationEvent = { kind: 'position', id: 'p', at: AT, traderId: 'a', traderName: 'T', symbol: 'ETHUSDT', side: 'short', event: 'stop', paper: true, price: '3000.10', quantity: '0.5', profit: '-12.50' };
    expect(messageOf(position)).toMatchObject({ title: 'Stopped out: short ETHUSDT (paper)', tone: 'warn', lines: ['T · 0.5 at 3000.10', 'Loss 12.50'], short: 'Stopped out: short ETHUSDT (paper) at 3000.10, -12.50' });
  });
  test('health says what to do; a trader says why', () => {
    expect(messageOf({ kind: 'health', id: 'h', at: AT, component: 'disk', title: 'Disk', state: 'failing', before: 'healthy', sentence: 'It is full.', nextStep: 'Free some.' })).toMatchObject({ title: 'Disk: failing', tone: 'bad', lines: ['It is full.', '→ Free some.'] });
    expect(messageOf({ kind: 'trader', id: 't', at: AT, traderId: 'a', traderName: 'Dip', state: 'paused', sentence: 'Too many.' })).toMatchObject({ title: 'Trader Dip is paused', lines: ['Too many.'] });
  });
  test('many become one, a line each; what never came is counted', () => {
    const digest = withMissed(digestOf([messageOf(signal()), messageOf(decision)], AT), 3);
    expect(digest).toMatchObject({ title: '2 messages', tone: 'good', lines: ['12:35 Long BTCUSDT at 64,250.5 · RSI dip · 5m', '12:35 Enter: long BTCUSDT (81 % sure) · RSI dip · 5m', '(3 earlier messages were left out: too many, or too late.)'] });
  });
  test('prices keep the digits that matter and show no exponent', () => {
    expect([64_250.5, 0.00001234, 1.5, 0, 123_456_789].map(number)).toEqual(['64,250.5', '0.00001234', '1.5', '0', '123,456,789']);
  });
});

describe('the forms', () => {
  const evil = (text: string): NotificationEvent => signal({ traderName: text, symbol: text.slice(0, 20) });
  // Texts full of what means something in one of the markups, and whatever else.
  const nasty = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.array(fc.constantFrom('<', '>', '&', '@everyone', '<@1>', '*', '`', '[x](http://y)', '</b>', '<script>', '|', '\n', '😀'), { maxLength: 60 }).map((parts) => parts.join('')));

  test('Telegram: the only tags are ours, and the text fits', () => {
    fc.assert(fc.property(nasty, (text) => {
      const body = telegramBody('1', messageOf(evil(text)));
      const html = body['text'] as string;
      expect(html.replaceAll(/<\/?b>/g, '')).not.toMatch(/[<>]/);
      expect(html.match(/<b>/g)).toHaveLength(1);
      expect(html.length).toBeLessThanOrEqual(4_096);
      expect(html.length).toBeGreaterThan(0);
    }));
  });
  test('Discord: nobody can be mentioned, and the limits are kept', () => {
    fc.assert(fc.property(nasty, (text) => {
      const body = discordBody(messageOf(evil(text))) as { allowed_mentions: { parse: [] }; embeds: [{ title: string; description: string }] };
      expect(body.allowed_mentions).toEqual({ parse: [] });
      expect(JSON.stringify(body)).not.toMatch(/@(everyone|here|[!&]?\d)/);
      expect(body.embeds[0].title.length).toBeLessThanOrEqual(256);
      expect(body.embeds[0].description.length).toBeLessThanOrEqual(4_096);
    }));
  });
  test('Slack: its control characters are escaped, and the limits are kept', () => {
    fc.assert(fc.property(nasty, (text) => {
      const body = slackBody(messageOf(evil(text))) as { text: string; blocks: [{ text: { text: string } }, { text: { text: string; verbatim: boolean } }] };
      for (const escaped of [body.text, body.blocks[1].text.text]) expect(escaped).not.toMatch(/[<>]/);
      expect(body.blocks[0].text.text.length).toBeLessThanOrEqual(150);
      expect(body.blocks[1].text.text.length).toBeGreaterThan(0);
      expect(body.blocks[1].text.text.length).toBeLessThanOrEqual(3_000);
      expect(body.blocks[1].text.verbatim).toBe(true);
    }));
  });
  test('too many lines are cut whole, and it is said how many', () => {
    const digest = digestOf(Array.from({ length: 200 }, () => messageOf(signal({ traderName: 'A trader with quite a long name' }))), AT);
    const text = telegramBody('1', digest)['text'] as string;
    expect(text.length).toBeLessThanOrEqual(4_096);
    expect(text).toMatch(/… and \d+ more$/);
  });
  test('JSON: the event as it is', () => {
    expect(jsonBody(decision, 'm1', 2)).toMatchObject({ type: 'trademind.decision', id: 'd1', timestamp: '2026-10-10T12:35:00.000Z', machine: 'm1', missed: 2, data: { symbol: 'BTCUSDT', confidence: 81.4 } });
  });
});

test('a signature is the one of Standard Webhooks', () => {
  // The example of the specification's own libraries.
  expect(signed('msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_999, '{"test": 2432232314}', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp': '1614265330', 'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});
