import { binary, unary, type NodeKind } from './node-kind.ts';

// Each kind has a loop of its own, so that the engine's compiler specialises it: a shared loop with the operation passed in is several times slower.

/** IEEE 754 as JavaScript has it: x / 0 is infinite, 0 / 0 is NaN, which is "not ready". */
export const add = binary('+', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) v[out * stride + i] = v[a * stride + i]! + v[b * stride + i]!;
});
export const subtract = binary('-', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) v[out * stride + i] = v[a * stride + i]! - v[b * stride + i]!;
});
export const multiply = binary('*', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) v[out * stride + i] = v[a * stride + i]! * v[b * stride + i]!;
});
export const divide = binary('/', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) v[out * stride + i] = v[a * stride + i]! / v[b * stride + i]!;
});
export const remainder = binary('%', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) v[out * stride + i] = v[a * stride + i]! % v[b * stride + i]!;
});
export const minimum = binary('min', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) v[out * stride + i] = Math.min(v[a * stride + i]!, v[b * stride + i]!);
});
export const maximum = binary('max', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) v[out * stride + i] = Math.max(v[a * stride + i]!, v[b * stride + i]!);
});

const mathOf = (name: string, f: (x: number) => number): NodeKind =>
  unary(name, (a, out) => (v, _s, stride, count) => {
    for (let i = 0; i < count; i++) v[out * stride + i] = f(v[a * stride + i]!);
  });

export const negate = mathOf('negate', (x) => -x);
export const absolute = mathOf('abs', Math.abs);
/** Of a negative number: not ready. */
export const squareRoot = mathOf('sqrt', Math.sqrt);
/** The natural logarithm; of a negative number: not ready. */
export const logarithm = mathOf('log', Math.log);
/** To the nearest whole number, halves upwards. */
export const roundOff = mathOf('round', Math.round);
