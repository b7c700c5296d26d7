import { binary, pure, unary } from './node-kind.ts';

// Three-valued logic on 1, 0 and NaN (not ready). A comparison with a number that is not ready is not ready.

export const greater = binary('>', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) {
    const x = v[a * stride + i]!;
    const y = v[b * stride + i]!;
    v[out * stride + i] = x > y ? 1 : x <= y ? 0 : Number.NaN;
  }
});
export const greaterOrEqual = binary('>=', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) {
    const x = v[a * stride + i]!;
    const y = v[b * stride + i]!;
    v[out * stride + i] = x >= y ? 1 : x < y ? 0 : Number.NaN;
  }
});
export const equal = binary('==', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) {
    const x = v[a * stride + i]!;
    const y = v[b * stride + i]!;
    v[out * stride + i] = x === y ? 1 : Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : 0;
  }
});
/** Not ready stays not ready, so that a negation never fires before its time. */
export const not = unary('!', (a, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) v[out * stride + i] = 1 - v[a * stride + i]!;
});
/** `false && x` is false even where x is not ready. */
export const and = binary('&&', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) {
    const x = v[a * stride + i]!;
    const y = v[b * stride + i]!;
    v[out * stride + i] = x === 0 || y === 0 ? 0 : x * y;
  }
});
/** `true || x` is true even where x is not ready. */
export const or = binary('||', (a, b, out) => (v, _s, stride, count) => {
  for (let i = 0; i < count; i++) {
    const x = v[a * stride + i]!;
    const y = v[b * stride + i]!;
    v[out * stride + i] = x === 1 || y === 1 ? 1 : x + y;
  }
});
/** `c ? a : b`; not ready where c is not. */
export const choose = pure('?:', ({ inputs, out }) => {
  const [c, a, b] = inputs as [number, number, number];
  return (v, _s, stride, count) => {
    for (let i = 0; i < count; i++) {
      const condition = v[c * stride + i]!;
      v[out * stride + i] = condition === 1 ? v[a * stride + i]! : condition === 0 ? v[b * stride + i]! : Number.NaN;
    }
  };
});
/** At least params[0] of the inputs hold: known as soon as those that are ready decide it. All = every input, any = one. */
export const atLeast = pure('atLeast', ({ inputs, params, out }) => {
  const slots = Int32Array.from(inputs);
  const needed = params[0]!;
  return (v, _s, stride, count) => {
    for (let i = 0; i < count; i++) {
      let holding = 0;
      let possible = slots.length;
      for (let k = 0; k < slots.length; k++) {
        const x = v[slots[k]! * stride + i]!;
        if (x === 1) holding++;
        else if (x === 0) possible--;
      }
      v[out * stride + i] = holding >= needed ? 1 : possible < needed ? 0 : Number.NaN;
    }
  };
});
