import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameTemplate } from './frame-template.ts';

const decimal = new FrameTemplate('"%d"');
const read = (text: string) => (decimal.match(Buffer.from(`"${text}"`), 0) < 0 ? undefined : decimal.numbers[0]);

test('a decimal is the same double that Number gives, however long', () => {
  const digits = (max: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${max}}$`));
  fc.assert(fc.property(fc.oneof(digits(25), fc.tuple(digits(20), digits(25)).map((parts) => parts.join('.'))), (text) => {
    expect(read(text)).toBe(Number(text));
  }), { numRuns: 2_000 });
});

test.each(['', '.5', '5.', '1.2.3', '-1', '1e5', ' 1', '1 ', '0x1', 'NaN', '1,5'])('"%s" is no decimal of the exchange', (text) => {
  expect(read(text)).toBeUndefined();
});

test('fields come out in their order, and the end of the match is told', () => {
  const template = new FrameTemplate('{"s":"%s","E":%n,"p":"%d","m":%b}');
  const bytes = Buffer.from('..{"s":"BTCUSDT","E":-12,"p":"0.50","m":false}rest');
  expect(template.match(bytes, 2)).toBe(bytes.length - 4);
  expect([...template.numbers]).toEqual([-12, 0.5, 0]);
  expect(bytes.toString('latin1', template.starts[0], template.ends[0])).toBe('BTCUSDT');
});

test('one byte off anywhere between the fields is no match; what matches is JSON of the same values', () => {
  const template = new FrameTemplate('{"s":"%s","E":%n,"p":"%d","m":%b}');
  const whole = '{"s":"BTCUSDT","E":1700000000000,"p":"12.345","m":true}';
  fc.assert(fc.property(fc.nat(whole.length), fc.nat(3), fc.string({ maxLength: 3 }), (at, cut, noise) => {
    const text = whole.slice(0, at) + noise + whole.slice(at + cut);
    const bytes = Buffer.from(text);
    if (template.match(bytes, 0) !== bytes.length) return;
    const parsed = JSON.parse(text) as { s: string; E: number; p: string; m: boolean };
    expect([parsed.s, parsed.E, Number(parsed.p), Number(parsed.m)]).toEqual([bytes.toString('latin1', template.starts[0], template.ends[0]), ...template.numbers]);
  }), { numRuns: 5_000 });
});
