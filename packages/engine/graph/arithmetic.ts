import { KERNEL } from '../kernels/kernel-codes.ts';
import { HEAD, pure, type NodeKind } from './node-kind.ts';

// Each kind has a loop of its own, so that the engine's compiler specialises it: a shared loop with the operation passed in is several times slower.
const UNARY = HEAD + 1;
const BINARY = HEAD + 2;

/** IEEE 754 as JavaScript has it: x / 0 is infinite, 0 / 0 is NaN, which is "not ready". */
export const add = pure('+', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += BINARY) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    const b = code[c + HEAD + 1]!;
    let i = 0;
    do v[out + i] = v[a + i]! + v[b + i]!; while (++i < count);
  }
}, KERNEL.add);
export const subtract = pure('-', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += BINARY) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    const b = code[c + HEAD + 1]!;
    let i = 0;
    do v[out + i] = v[a + i]! - v[b + i]!; while (++i < count);
  }
}, KERNEL.subtract);
export const multiply = pure('*', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += BINARY) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    const b = code[c + HEAD + 1]!;
    let i = 0;
    do v[out + i] = v[a + i]! * v[b + i]!; while (++i < count);
  }
}, KERNEL.multiply);
export const divide = pure('/', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += BINARY) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    const b = code[c + HEAD + 1]!;
    let i = 0;
    do v[out + i] = v[a + i]! / v[b + i]!; while (++i < count);
  }
}, KERNEL.divide);

/** A kind of two inputs that is rare enough to share its loop. */
const binaryOf = (name: string, f: (x: number, y: number) => number): NodeKind =>
  pure(name, ({ v, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += BINARY) {
      const out = code[c]!;
      const a = code[c + HEAD]!;
      const b = code[c + HEAD + 1]!;
      let i = 0;
      do v[out + i] = f(v[a + i]!, v[b + i]!); while (++i < count);
    }
  });

export const remainder = binaryOf('%', (x, y) => x % y);
export const minimum = binaryOf('min', Math.min);
export const maximum = binaryOf('max', Math.max);

/** A kind of one input. */
export const unaryOf = (name: string, f: (x: number) => number): NodeKind =>
  pure(name, ({ v, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += UNARY) {
      const out = code[c]!;
      const a = code[c + HEAD]!;
      let i = 0;
      do v[out + i] = f(v[a + i]!); while (++i < count);
    }
  });

export const negate = unaryOf('negate', (x) => -x);
export const absolute = unaryOf('abs', Math.abs);
/** Of a negative number: not ready. */
export const squareRoot = unaryOf('sqrt', Math.sqrt);
/** The natural logarithm; of a negative number: not ready. */
export const logarithm = unaryOf('log', Math.log);
/** To the nearest whole number, halves upwards. */
export const roundOff = unaryOf('round', Math.round);
