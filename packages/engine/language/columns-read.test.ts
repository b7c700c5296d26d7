import { expect, test } from 'vitest';
import { columnsRead } from './columns-read.ts';
import { LanguageError } from './language-error.ts';

test.each([
  ['close', 'close'],
  ['1 + 1', ''],
  ['hl2 > 3', 'high low'],
  ['volume * 0 > open - open', 'open volume'],
  ['atr(14)', 'close high low'],
  ['hour == 3', 'openTime'],
  ['trades[1] > 5', 'trades'],
  ['quoteVolume24h', 'quoteVolume'],
  ['on("1h", quoteVolume) > close', 'close quoteVolume'],
  ['on("1h", on("4h", takerBuy > volume))', 'takerBuy volume'],
  ['rank(trades) < 3', 'trades'],
  ['of("BTCUSDT", sma(takerBuy, 3)) > 1', 'takerBuy'],
  ['names > 1', 'open'],
])('%s reads %s', (text, columns) => {
  expect([...columnsRead(text, { let: { names: 'open', unused: 'close' } })].toSorted().join(' ')).toBe(columns);
});

test('an expression that does not compile is refused', () => {
  expect(() => columnsRead('clos > 1')).toThrow(LanguageError);
});
