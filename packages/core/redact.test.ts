import fc from 'fast-check';
import { expect, test } from 'vitest';
import { redact } from './redact.ts';

test.each([
  ['Authorization: Bearer abc.def-123456', 'Authorization: Bearer [redacted]'],
  ['token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl ended', 'token [redacted] ended'],
  ['POST https://api.telegram.org/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw7/sendMessage', 'POST https://api.telegram.org/[redacted]/sendMessage'],
  ['https://discord.com/api/webhooks/1234/abcDEF-x failed', 'https://discord.com/api/webhooks/[redacted] failed'],
  ['https://hooks.slack.com/services/T0/B0/xyz', 'https://hooks.slack.com/services/[redacted]'],
  ['postgres://me:hunter2@db/x', 'postgres://[redacted]@db/x'],
  ['/v1/feed?ticket=abc&types=signal', '/v1/feed?ticket=[redacted]&types=signal'],
  ['key whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'key [redacted]'],
])('%s', (text, expected) => {
  expect(redact(text)).toBe(expected);
});

test('ordinary sentences stay as they are', () => {
  for (const text of ['Screening 40 symbols for 3 traders.', 'The newest candle is 12 s late: signals come late.', 'BTCUSDT 5m closed at 64250.5 (12:05:00)', 'HTTP 429 from https://api.binance.com/api/v3/klines?symbol=BTCUSDT&limit=1000']) expect(redact(text)).toBe(text);
});

test('a registered secret never comes through, wherever it stands, even as part of another', () => {
  const secret = fc.string({ minLength: 6, maxLength: 30 }).filter((text) => !'[redacted]'.includes(text));
  fc.assert(fc.property(fc.array(secret, { minLength: 1, maxLength: 4 }), fc.array(fc.string(), { maxLength: 5 }), (secrets, words) => {
    const text = [...words, ...secrets, ...words].join(' ');
    for (const one of secrets) expect(redact(text, secrets).includes(one)).toBe(false);
  }));
});
