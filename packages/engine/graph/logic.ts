import { KERNEL } from '../kernels/kernel-codes.ts';
import { HEAD, pure } from './node-kind.ts';

// Three-valued logic on 1, 0 and NaN (not ready). A comparison with a number that is not ready is not ready.
// Which way a comparison goes is not to be foreseen, so none of these loops branches on it: `| 0` makes 1 or 0 of it without.
const BINARY = HEAD + 2;

export const greater = pure('>', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += BINARY) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    const b = code[c + HEAD + 1]!;
    let i = 0;
    do {
      const x = v[a + i]!;
      const y = v[b + i]!;
      v[out + i] = x === x && y === y ? Number(x > y) : Number.NaN;
    } while (++i < count);
  }
}, KERNEL.greater);
export const greaterOrEqual = pure('>=', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += BINARY) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    const b = code[c + HEAD + 1]!;
    let i = 0;
    do {
      const x = v[a + i]!;
      const y = v[b + i]!;
      v[out + i] = x === x && y === y ? Number(x >= y) : Number.NaN;
    } while (++i < count);
  }
}, KERNEL.greaterOrEqual);
export const equal = pure('==', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += BINARY) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    const b = code[c + HEAD + 1]!;
    let i = 0;
    do {
      const x = v[a + i]!;
      const y = v[b + i]!;
      v[out + i] = x === x && y === y ? Number(x === y) : Number.NaN;
    } while (++i < count);
  }
}, KERNEL.equal);
/** Not ready stays not ready, so that a negation never fires before its time. */
export const not = pure('!', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += HEAD + 1) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    let i = 0;
    do v[out + i] = 1 - v[a + i]!; while (++i < count);
  }
}, KERNEL.not);
/** `false && x` is false even where x is not ready. */
export const and = pure('&&', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += BINARY) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    const b = code[c + HEAD + 1]!;
    let i = 0;
    do {
      const x = v[a + i]!;
      const y = v[b + i]!;
      const both = x * y;
      v[out + i] = both === both ? both : x === 0 || y === 0 ? 0 : Number.NaN;
    } while (++i < count);
  }
}, KERNEL.and);
/** `true || x` is true even where x is not ready. */
export const or = pure('||', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += BINARY) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    const b = code[c + HEAD + 1]!;
    let i = 0;
    do {
      const x = v[a + i]!;
      const y = v[b + i]!;
      const either = x + y - x * y;
      v[out + i] = either === either ? either : x === 1 || y === 1 ? 1 : Number.NaN;
    } while (++i < count);
  }
}, KERNEL.or);
/** `c ? a : b`; not ready where c is not. */
export const choose = pure('?:', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += HEAD + 3) {
    const out = code[c]!;
    const test = code[c + HEAD]!;
    const a = code[c + HEAD + 1]!;
    const b = code[c + HEAD + 2]!;
    let i = 0;
    do {
      const condition = v[test + i]!;
      v[out + i] = condition === 1 ? v[a + i]! : condition === 0 ? v[b + i]! : Number.NaN;
    } while (++i < count);
  }
});
/** At least params[0] of its params[1] inputs hold: known as soon as those that are ready decide it. */
export const atLeast = pure('atLeast', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end;) {
    const out = code[c]!;
    const needed = code[c + HEAD]!;
    const inputs = c + HEAD + 2;
    const end = inputs + code[c + HEAD + 1]!;
    let i = 0;
    do {
      let holding = 0;
      let possible = end - inputs;
      for (let cell = inputs; cell < end; cell++) {
        const x = v[code[cell]! + i]!;
        if (x === 1) holding++;
        else if (x === 0) possible--;
      }
      v[out + i] = holding >= needed ? 1 : possible < needed ? 0 : Number.NaN;
    } while (++i < count);
    c = end;
  }
});
