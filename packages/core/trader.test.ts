import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Duration, durationMs, Span, spanEnd } from './duration.ts';
import { intervalClose } from './market.ts';
import { parseWith } from './parse.ts';
import { paramValues, TraderDocument, type TraderInput } from './trader.ts';
import { traderJsonSchema } from './trader-schema.ts';

const SHORT: TraderInput = { name: 'Dip', side: 'long', where: { oversold: 'rsi(14) < 30' } };
const parse = (more: object = {}) => parseWith(TraderDocument, { ...SHORT, ...more }, 'trader_invalid', 'The trader');
const refusal = (more: object): { code: string; field?: string; message: string } => {
  try {
    parse(more);
  } catch (error) {
    return error as { code: string; field?: string; message: string };
  }
  throw new Error('it was accepted');
};

describe('a trader', () => {
  test('may leave out all but name, side and where: the rest has defaults', () => {
    expect(parse()).toEqual({
      ...SHORT, description: '', candles: 'closed', params: {}, let: {}, when: 'all', repeat: 'edge',
      universe: { quote: 'USDT', include: [], exclude: [], largest: 100, minQuoteVolume: 0, minAgeDays: 0 },
      cooldown: { candles: 0 }, limits: { perHour: 60, perDay: 500 }, expiry: { candles: 3 },
      analysis: { enabled: true, minConfidence: 60, priority: 5 },
      execution: {
        entry: 'market', size: { risk: 1 }, stop: '1.5 * atr(14)', tradeForming: false,
        targets: [{ at: '2 * atr(14)', share: 0.5 }, { at: '3 * atr(14)', share: 0.3 }, { at: '5 * atr(14)', share: 0.2 }],
      },
    });
  });

  test('parsed again stays as it is, so that storing it anew makes no new version', () => {
    const once = parse({ execution: { stop: 2, exit: 'rsi(14) > 70' }, universe: { largest: 5 }, params: { n: { value: 3, max: 9 } } });
    expect(JSON.stringify(TraderDocument.parse(once))).toBe(JSON.stringify(once));
  });

  test('whole: every field may be said', () => {
    const whole = {
      description: 'd', interval: '1h', candles: 'forming', params: { n: 14, k: { value: 2, min: 1, max: 3, step: 0.5 } }, let: { x: 'ema(n)' },
      universe: { quote: 'FDUSD', include: ['BTCFDUSD'], exclude: ['ETHFDUSD'], largest: 7, minQuoteVolume: 1e6, minAgeDays: 30 },
      when: { atLeast: 1 }, repeat: 'every-candle', cooldown: '4h', limits: { perHour: 5, perDay: 20 }, expiry: '90s',
      analysis: { enabled: false, model: 'gemini-3.8-flash', minConfidence: 75, priority: 9 },
      execution: {
        entry: { limit: 'close - atr(14)' }, size: { percent: 'k' }, stop: { price: 'lowest(low, 10)' }, targets: [{ at: { price: 'highest(high, 50)' }, share: 0.25 }],
        trail: '3 * atr(14)', timeStop: { candles: 48 }, exit: 'crossunder(ema(9), ema(21))', tradeForming: true,
      },
    };
    expect(parse(whole)).toEqual({ ...SHORT, ...whole });
    expect(paramValues(parse(whole).params)).toEqual({ n: 14, k: 2 });
  });

  test.each([
    [{ cooldown: '4x' }, 'cooldown', 'a duration such as 15m'],
    [{ cooldown: '366d' }, 'cooldown', 'at most 365 days'],
    [{ cooldown: { candels: 3 } }, 'cooldown.candels', 'unknown key "candels"'],
    [{ cooldown: { candles: -1 } }, 'cooldown.candles', '>=0'],
    [{ cooldown: 4 }, 'cooldown', 'a duration such as 15m, 4h or 2d, or {candles: n}'],
    [{ expiry: '0m' }, 'expiry', 'a duration'],
    [{ params: { n: { valu: 3 } } }, 'params.n.valu', 'unknown key "valu"'],
    [{ params: { n: { value: 3, min: 4 } } }, 'params.n', 'between min and max'],
    [{ params: { n: { value: 3, step: 0 } } }, 'params.n.step', '>0'],
    [{ params: { n: 'x' } }, 'params.n', 'a number, or {value, min, max, step}'],
    [{ params: { N: 1 } }, 'params.N', 'begins with a small letter'],
    [{ limits: { perHour: 0 } }, 'limits.perHour', '>=1'],
    [{ limits: { perWeek: 1 } }, 'limits.perWeek', 'unknown key'],
    [{ analysis: { minConfidence: 101 } }, 'analysis.minConfidence', '<=100'],
    [{ analysis: { model: '../x' } }, 'analysis.model', 'pattern'],
    [{ analysis: { priority: 1.5 } }, 'analysis.priority', 'int'],
    [{ candles: 'open' }, 'candles', '"forming"'],
    [{ universe: { minQuoteVolume: -1 } }, 'universe.minQuoteVolume', '>=0'],
    [{ universe: { minAgeDays: 1.5 } }, 'universe.minAgeDays', 'int'],
    [{ execution: { stop: 0 } }, 'execution.stop', '>0'],
    [{ execution: { stop: { prise: 1 } } }, 'execution.stop.prise', 'unknown key'],
    [{ execution: { entry: 'now' } }, 'execution.entry', 'market, limit, or {limit: price}'],
    [{ execution: { size: { risk: 200 } } }, 'execution.size.risk', '<=100'],
    [{ execution: { targets: [{ at: 1, share: 0.6 }, { at: 2, share: 0.6 }] } }, 'execution.targets', 'more than 1'],
    [{ execution: { targets: [{ at: 1 }] } }, 'execution.targets.0.share', 'number'],
    [{ execution: { targets: Array.from({ length: 11 }, () => ({ at: 1, share: 0.01 })) } }, 'execution.targets', '<=10'],
    [{ execution: { exit: '' } }, 'execution.exit', '>=1'],
    [{ when: 3 }, 'when', 'all, any, {atLeast: n}'],
    [{ where: {} }, 'where', 'at least one condition'],
  ])('%j is refused at %s', (more, field, message) => {
    expect(refusal(more)).toMatchObject({ code: 'trader_invalid', field, message: expect.stringContaining(message) });
  });
});

describe('a span of market time', () => {
  test.each([['90s', 90_000], ['15m', 900_000], ['4h', 14_400_000], ['2d', 172_800_000], ['1w', 604_800_000]])('%s', (text, ms) => {
    expect(durationMs(Duration.parse(text))).toBe(ms);
    expect(spanEnd(text, '1M', 5)).toBe(5 + ms);
  });

  test('of candles ends with a candle, months as long as they are', () => {
    expect(spanEnd({ candles: 2 }, '1M', Date.UTC(2024, 0, 1))).toBe(Date.UTC(2024, 2, 1));
    expect(spanEnd({ candles: 0 }, '1h', 7)).toBe(7);
    fc.assert(fc.property(fc.integer({ min: 0, max: 50 }), (candles) => {
      expect(spanEnd(Span.parse({ candles }), '5m', 0)).toBe(candles * intervalClose('5m', 0));
    }));
  });
});

test('the published schema names every field, says what it means, and refuses unknown keys', () => {
  type Shape = { properties: Record<string, Shape & { description?: string }>; additionalProperties?: unknown; required?: string[] };
  const schema = traderJsonSchema() as Shape;
  expect(Object.keys(schema.properties)).toEqual(Object.keys(TraderDocument.shape));
  expect(schema.required).toEqual(['name', 'side', 'where']);
  for (const [name, field] of Object.entries(schema.properties)) expect(field.description, name).toBeTruthy();
  for (const place of [schema, schema.properties['universe']!, schema.properties['limits']!, schema.properties['analysis']!, schema.properties['execution']!]) {
    expect(place.additionalProperties).toBe(false);
    for (const [name, field] of Object.entries(place.properties)) expect(field.description, name).toBeTruthy();
  }
});
