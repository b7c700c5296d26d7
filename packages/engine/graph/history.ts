import type { NodeKind, Place, Step } from './node-kind.ts';

/** `x[n]`: the value n candles ago (params[0] = n ≥ 1). State: a ring of n values and its position. */
export const offset: NodeKind = {
  name: 'offset',
  stateSize: ([n]) => n! + 1,
  first: ([n]) => n! + 1,
  settle: ([n]) => n! + 1,
  start: (s, at, [n]) => {
    s.fill(Number.NaN, at + 1, at + 1 + n!);
  },
  bind: ({ inputs, params, out, state }) => {
    const x = inputs[0]!;
    const n = params[0]!;
    return (v, s, stride, count) => {
      let position = s[state]!;
      for (let i = 0; i < count; i++) {
        const cell = state + 1 + position;
        v[out * stride + i] = s[cell]!;
        s[cell] = v[x * stride + i]!;
        position = position + 1 === n ? 0 : position + 1;
      }
      s[state] = position;
    };
  },
};

/**
 * `a > b && a[1] <= b[1]` in three-valued logic: false as soon as one half is false. State: the previous difference's two sides.
 * One bound loop; crossunder is crossover with its inputs exchanged.
 */
export const crossover: NodeKind = {
  name: 'crossover',
  stateSize: () => 2,
  first: () => 2,
  settle: () => 2,
  start: (s, at) => {
    s[at] = Number.NaN;
    s[at + 1] = Number.NaN;
  },
  bind: ({ inputs, out, state }) => {
    const a = inputs[0]!;
    const b = inputs[1]!;
    return (v, s, stride, count) => {
      let beforeX = s[state]!;
      let beforeY = s[state + 1]!;
      for (let i = 0; i < count; i++) {
        const x = v[a * stride + i]!;
        const y = v[b * stride + i]!;
        v[out * stride + i] = x <= y || beforeX > beforeY ? 0 : x > y && beforeX <= beforeY ? 1 : Number.NaN;
        beforeX = x;
        beforeY = y;
      }
      s[state] = beforeX;
      s[state + 1] = beforeY;
    };
  },
};

/** State of a run: the previous value, steps since the last one that failed, steps since the last one that was not ready. */
function bindRun({ inputs, params, out, state }: Place, sign: 1 | -1): Step {
  const x = inputs[0]!;
  const n = params[0]!;
  return (v, s, stride, count) => {
    for (let i = 0; i < count; i++) {
      const value = v[x * stride + i]!;
      const before = s[state]!;
      const step = (value - before) * sign;
      s[state] = value;
      // Two infinities differ by NaN although both are ready: equal is no step.
      const failed = step <= 0 || value === before;
      const sinceFailed = failed ? 0 : s[state + 1]! + 1;
      const sinceUnready = failed || step > 0 ? s[state + 2]! + 1 : 0;
      s[state + 1] = sinceFailed;
      s[state + 2] = sinceUnready;
      v[out * stride + i] = sinceFailed < n ? 0 : sinceUnready < n ? Number.NaN : 1;
    }
  };
}

const run = (name: string, sign: 1 | -1): NodeKind => ({
  name,
  stateSize: () => 3,
  first: ([n]) => n! + 1,
  settle: ([n]) => n! + 1,
  start: (s, at, [n]) => {
    s[at] = Number.NaN;
    s[at + 1] = n!; // nothing has failed yet,
    s[at + 2] = 0; // but nothing is known either
  },
  bind: (place) => bindRun(place, sign),
});

/** n (params[0]) consecutive steps, each above the one before. */
export const rising = run('rising', 1);
/** n consecutive steps, each below the one before. */
export const falling = run('falling', -1);
