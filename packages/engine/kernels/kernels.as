// The runs of the commonest kinds, compiled ahead of time to WebAssembly (`npm run kernels`): what the TypeScript run of a kind computes, to the last bit, which
// `kernels.test.ts` holds. Language: AssemblyScript. A row of the code is that of `graph/node-kind.ts` with places in memory (bytes) instead of numbers of cells: values and
// constants lie where they lie, a state is counted from where the state of the series begins.

// @ts-ignore: decorator
@inline const NOT_READY: f64 = NaN;
/** Candles that a row whose every value waits for the one before is worked off at a time: so that the processor may begin with the next row meanwhile. */
// @ts-ignore: decorator
@inline const PART: i32 = 8;

/**
 * Works off the batches from `c` to before `end`, each [kind, where its rows end, rows …], over `count` candles of the series whose state begins at `s`, the first
 * being its t-th. With more than one candle rows of values have room for an even number of them.
 */
export function run(c: usize, end: usize, s: usize, count: i32, t: i32): void {
  while (c < end) {
    const kind = load<i32>(c);
    const to = <usize>load<i32>(c, 4);
    c += 8;
    switch (kind) {
      case 0: add(c, to, count); break;
      case 1: subtract(c, to, count); break;
      case 2: multiply(c, to, count); break;
      case 3: divide(c, to, count); break;
      case 4: greater(c, to, count); break;
      case 5: greaterOrEqual(c, to, count); break;
      case 6: equal(c, to, count); break;
      case 7: not(c, to, count); break;
      case 8: and(c, to, count); break;
      case 9: or(c, to, count); break;
      case 10: previous(c, to, s, count); break;
      case 11: offset(c, to, s, count, t); break;
      case 12: history(c, to, s, count, t); break;
      case 13: crossover(c, to, s, count); break;
      case 14: steps(c, to, s, count, 1); break;
      case 15: steps(c, to, s, count, -1); break;
      case 16: recursive(c, to, s, count); break;
      case 17: sums(c, to, s, count, t); break;
      case 18: squareSums(c, to, s, count, t); break;
      case 19: windowSum(c, to, s, count, t); break;
      case 20: stdev(c, to, s, count, t); break;
      case 21: rsi(c, to, s, count); break;
      case 22: extreme(c, to, s, count, t); break;
      case 23: trueRange(c, to, s, count); break;
      default: unreachable();
    }
    c = to;
  }
}

/**
 * Works off the checks from `c` to before `end`, each [what is asked, a, b], over a whole block of values: from `out` on 32 bits for each, one a candle. Values that are not ready give none; what is
 * beyond the `count` candles gives none.
 */
export function check(c: usize, end: usize, out: usize, count: i32): void {
  const one = f64x2.splat(1), all = count == 32 ? -1 : (1 << count) - 1;
  for (; c < end; c += 12, out += 4) {
    const asked = load<i32>(c);
    let a = <usize>load<i32>(c, 4), b = <usize>load<i32>(c, 8), bits = 0;
    // Four candles at a time.
    if (asked == 0) for (let i = 0; i < count; i += 4, a += 32) bits |= bitsOf(f64x2.eq(v128.load(a), one), f64x2.eq(v128.load(a, 16), one)) << i;
    else if (asked == 1) for (let i = 0; i < count; i += 4, a += 32, b += 32) bits |= bitsOf(f64x2.gt(v128.load(a), v128.load(b)), f64x2.gt(v128.load(a, 16), v128.load(b, 16))) << i;
    else for (let i = 0; i < count; i += 4, a += 32, b += 32) bits |= bitsOf(f64x2.ge(v128.load(a), v128.load(b)), f64x2.ge(v128.load(a, 16), v128.load(b, 16))) << i;
    store<i32>(out, bits & all);
  }
}
// @ts-ignore: decorator
@inline function bitsOf(low: v128, high: v128): i32 {
  return i32x4.bitmask(v128.shuffle<i32>(low, high, 0, 2, 4, 6));
}

// Arithmetic: [out, state, reals, a, b].
function add(c: usize, end: usize, count: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), a = <usize>load<i32>(c, 12), b = <usize>load<i32>(c, 16);
    if (count == 1) store<f64>(out, load<f64>(a) + load<f64>(b));
    else for (let i: usize = 0, n = <usize>count << 3; i < n; i += 16) v128.store(out + i, f64x2.add(v128.load(a + i), v128.load(b + i)));
  }
}
function subtract(c: usize, end: usize, count: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), a = <usize>load<i32>(c, 12), b = <usize>load<i32>(c, 16);
    if (count == 1) store<f64>(out, load<f64>(a) - load<f64>(b));
    else for (let i: usize = 0, n = <usize>count << 3; i < n; i += 16) v128.store(out + i, f64x2.sub(v128.load(a + i), v128.load(b + i)));
  }
}
function multiply(c: usize, end: usize, count: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), a = <usize>load<i32>(c, 12), b = <usize>load<i32>(c, 16);
    if (count == 1) store<f64>(out, load<f64>(a) * load<f64>(b));
    else for (let i: usize = 0, n = <usize>count << 3; i < n; i += 16) v128.store(out + i, f64x2.mul(v128.load(a + i), v128.load(b + i)));
  }
}
function divide(c: usize, end: usize, count: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), a = <usize>load<i32>(c, 12), b = <usize>load<i32>(c, 16);
    if (count == 1) store<f64>(out, load<f64>(a) / load<f64>(b));
    else for (let i: usize = 0, n = <usize>count << 3; i < n; i += 16) v128.store(out + i, f64x2.div(v128.load(a + i), v128.load(b + i)));
  }
}

// Three-valued logic: 1, 0, NaN.
function greater(c: usize, end: usize, count: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), a = <usize>load<i32>(c, 12), b = <usize>load<i32>(c, 16);
    for (let i: usize = 0, n = <usize>count << 3; i < n; i += 8) {
      const x = load<f64>(a + i), y = load<f64>(b + i);
      store<f64>(out + i, select<f64>(<f64>i32(x > y), NOT_READY, i32(x == x) & i32(y == y)));
    }
  }
}
function greaterOrEqual(c: usize, end: usize, count: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), a = <usize>load<i32>(c, 12), b = <usize>load<i32>(c, 16);
    for (let i: usize = 0, n = <usize>count << 3; i < n; i += 8) {
      const x = load<f64>(a + i), y = load<f64>(b + i);
      store<f64>(out + i, select<f64>(<f64>i32(x >= y), NOT_READY, i32(x == x) & i32(y == y)));
    }
  }
}
function equal(c: usize, end: usize, count: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), a = <usize>load<i32>(c, 12), b = <usize>load<i32>(c, 16);
    for (let i: usize = 0, n = <usize>count << 3; i < n; i += 8) {
      const x = load<f64>(a + i), y = load<f64>(b + i);
      store<f64>(out + i, select<f64>(<f64>i32(x == y), NOT_READY, i32(x == x) & i32(y == y)));
    }
  }
}
function not(c: usize, end: usize, count: i32): void {
  for (; c < end; c += 16) {
    const out = <usize>load<i32>(c), a = <usize>load<i32>(c, 12);
    for (let i: usize = 0, n = <usize>count << 3; i < n; i += 8) store<f64>(out + i, 1 - load<f64>(a + i));
  }
}
function and(c: usize, end: usize, count: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), a = <usize>load<i32>(c, 12), b = <usize>load<i32>(c, 16);
    for (let i: usize = 0, n = <usize>count << 3; i < n; i += 8) {
      const x = load<f64>(a + i), y = load<f64>(b + i), both = x * y;
      store<f64>(out + i, select<f64>(both, select<f64>(0, NOT_READY, i32(x == 0) | i32(y == 0)), both == both));
    }
  }
}
function or(c: usize, end: usize, count: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), a = <usize>load<i32>(c, 12), b = <usize>load<i32>(c, 16);
    for (let i: usize = 0, n = <usize>count << 3; i < n; i += 8) {
      const x = load<f64>(a + i), y = load<f64>(b + i), either = x + y - x * y;
      store<f64>(out + i, select<f64>(either, select<f64>(1, NOT_READY, i32(x == 1) | i32(y == 1)), either == either));
    }
  }
}

function previous(c: usize, end: usize, s: usize, count: i32): void {
  for (; c < end; c += 16) {
    const out = <usize>load<i32>(c), state = s + <usize>load<i32>(c, 4), x = <usize>load<i32>(c, 12);
    let before = load<f64>(state);
    for (let i: usize = 0, n = <usize>count << 3; i < n; i += 8) {
      store<f64>(out + i, before);
      before = load<f64>(x + i);
    }
    store<f64>(state, before);
  }
}
// [out, state, reals, n, x, ring, mask]
function offset(c: usize, end: usize, s: usize, count: i32, t: i32): void {
  for (; c < end; c += 28) {
    const out = <usize>load<i32>(c), at = t - load<i32>(c, 12), ring = s + <usize>load<i32>(c, 20), mask = load<i32>(c, 24);
    for (let i = 0; i < count; i++) store<f64>(out + (<usize>i << 3), load<f64>(ring + (<usize>((at + i) & mask) << 3)));
  }
}
// [out, state, reals, capacity, x]
function history(c: usize, end: usize, s: usize, count: i32, t: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), state = s + <usize>load<i32>(c, 4), mask = load<i32>(c, 12) - 1, x = <usize>load<i32>(c, 16), ring = state + 8;
    let ready = load<f64>(state);
    for (let i = 0; i < count; i++) {
      const value = load<f64>(x + (<usize>i << 3));
      store<f64>(ring + (<usize>((t + i) & mask) << 3), value);
      ready = select<f64>(ready + 1, 0, value - value == 0);
      store<f64>(out + (<usize>i << 3), ready);
    }
    store<f64>(state, ready);
  }
}
function crossover(c: usize, end: usize, s: usize, count: i32): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), state = s + <usize>load<i32>(c, 4), a = <usize>load<i32>(c, 12), b = <usize>load<i32>(c, 16);
    const beforeX = load<f64>(state), beforeY = load<f64>(state, 8);
    if (count == 1) {
      const x = load<f64>(a), y = load<f64>(b), all = x + y + beforeX + beforeY;
      const crossed = i32(x > y) & i32(beforeX <= beforeY);
      store<f64>(out, select<f64>(<f64>crossed, select<f64>(0, NOT_READY, i32(x <= y) | i32(beforeX > beforeY)), i32(all == all) | crossed));
      store<f64>(state, x);
      store<f64>(state, y, 8);
      continue;
    }
    const one = f64x2.splat(1), notReady = f64x2.splat(NOT_READY);
    let lastX = f64x2.splat(beforeX), lastY = f64x2.splat(beforeY);
    const n = <usize>count << 3;
    for (let i: usize = 0; i < n; i += 16) {
      const x = v128.load(a + i), y = v128.load(b + i);
      // The pairs of candles before these: the last of the pair before, and the first of this one.
      const wasX = v128.shuffle<f64>(lastX, x, 1, 2), wasY = v128.shuffle<f64>(lastY, y, 1, 2);
      lastX = x;
      lastY = y;
      const crossed = v128.and(f64x2.gt(x, y), f64x2.le(wasX, wasY));
      const fails = v128.or(f64x2.le(x, y), f64x2.gt(wasX, wasY));
      v128.store(out + i, v128.bitselect(v128.and(crossed, one), notReady, v128.or(crossed, fails)));
    }
    store<f64>(state, load<f64>(a + n - 8));
    store<f64>(state, load<f64>(b + n - 8), 8);
  }
}
// [out, state, reals, n, x]
function steps(c: usize, end: usize, s: usize, count: i32, sign: f64): void {
  for (; c < end; c += 20) {
    const out = <usize>load<i32>(c), state = s + <usize>load<i32>(c, 4), n = load<i32>(c, 12), x = <usize>load<i32>(c, 16);
    // Whole numbers, in which one more candle costs a fraction of what it does in doubles.
    let before = load<f64>(state), sinceFailed = <i32>load<f64>(state, 8), sinceUnready = <i32>load<f64>(state, 16);
    for (let i: usize = 0, length = <usize>count << 3; i < length; i += 8) {
      const value = load<f64>(x + i), step = (value - before) * sign;
      sinceFailed += 1;
      sinceUnready += 1;
      if (step == step) sinceFailed &= -i32(step > 0);
      else if (value == before) sinceFailed = 0;
      else sinceUnready = 0;
      before = value;
      store<f64>(out + i, select<f64>(0, select<f64>(NOT_READY, 1, sinceUnready < n), sinceFailed < n));
    }
    store<f64>(state, before);
    store<f64>(state, <f64>sinceFailed, 8);
    store<f64>(state, <f64>sinceUnready, 16);
  }
}
function recursive(begin: usize, end: usize, s: usize, count: i32): void {
  for (let from = 0; from < count; from += PART) for (let c = begin; c < end; c += 20) {
    const out = <usize>load<i32>(c), state = s + <usize>load<i32>(c, 4), weight = load<f64>(<usize>load<i32>(c, 8)), n = <f64>load<i32>(c, 12), x = <usize>load<i32>(c, 16);
    let seen = load<f64>(state), average = load<f64>(state, 8);
    for (let i = <usize>from << 3, length = <usize>min(count, from + PART) << 3; i < length; i += 8) {
      const value = load<f64>(x + i);
      let result = NOT_READY;
      if (value - value == 0) {
        if (seen >= n) result = average += (value - average) * weight;
        else {
          seen += 1;
          average += (value - average) / seen;
          if (seen == n) result = average;
        }
      }
      store<f64>(out + i, result);
    }
    store<f64>(state, seen);
    store<f64>(state, average, 8);
  }
}

// Sums in two doubles, as in `graph/double-double.ts`: [high, low] + x is [sumOf, lowOf].
// @ts-ignore: decorator
@inline function errorOf(high: f64, x: f64, sum: f64): f64 {
  // What a sum loses is exact either way; this way it is known sooner, and each sum waits for the one before.
  return abs<f64>(high) >= abs<f64>(x) ? x - (sum - high) : high - (sum - x);
}
// @ts-ignore: decorator
@inline function differenceError(a: f64, b: f64, difference: f64): f64 {
  const part = difference - a;
  return a - (difference - part) - (b + part);
}
// @ts-ignore: decorator
@inline function productError(a: f64, b: f64, product: f64): f64 {
  const ta = 134217729.0 * a, aHigh = ta - (ta - a), aLow = a - aHigh;
  const tb = 134217729.0 * b, bHigh = tb - (tb - b), bLow = b - bHigh;
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
}

// [out, state, reals, capacity, x]; an entry of the ring: [total, its low half, x, flat run]
function sums(begin: usize, end: usize, s: usize, count: i32, t: i32): void {
  for (let from = 0; from < count; from += PART) for (let c = begin; c < end; c += 20) {
    const out = <usize>load<i32>(c), state = s + <usize>load<i32>(c, 4), mask = load<i32>(c, 12) - 1, x = <usize>load<i32>(c, 16), ring = state + 8;
    const before = ring + (<usize>((t + from - 1) & mask) << 5);
    let high = load<f64>(before), low = load<f64>(before, 8), last = load<f64>(before, 16), flat = load<f64>(before, 24), ready = load<f64>(state);
    for (let i = from, to = min(count, from + PART); i < to; i++) {
      const at = ring + (<usize>((t + i) & mask) << 5), value = load<f64>(x + (<usize>i << 3));
      if (value - value == 0) {
        const sum = high + value, rest = low + errorOf(high, value, sum);
        high = sum + rest;
        low = rest - (high - sum);
        flat = flat * <f64>i32(value == last) + 1;
        ready += 1;
      } else {
        flat = 0;
        ready = 0;
      }
      last = value;
      store<f64>(at, high);
      store<f64>(at, low, 8);
      store<f64>(at, value, 16);
      store<f64>(at, flat, 24);
      store<f64>(out + (<usize>i << 3), ready);
      if (((t + i) & mask) == mask) {
        sumUp(ring, mask);
        high = load<f64>(at);
        low = load<f64>(at, 8);
      }
    }
    store<f64>(state, ready);
  }
}
/** Totals of all that the ring holds, which ends with its last entry. */
function sumUp(ring: usize, mask: i32): void {
  let high: f64 = 0, low: f64 = 0;
  for (let at = ring, end = ring + (<usize>mask << 5); at <= end; at += 32) {
    const value = load<f64>(at, 16);
    if (value - value == 0) {
      const sum = high + value, rest = low + errorOf(high, value, sum);
      high = sum + rest;
      low = rest - (high - sum);
    }
    store<f64>(at, high);
    store<f64>(at, low, 8);
  }
}
// [out, state, reals, capacity, x, sums, their ring, its mask]
function squareSums(c: usize, end: usize, s: usize, count: i32, t: i32): void {
  for (; c < end; c += 32) {
    const out = <usize>load<i32>(c), ring = s + <usize>load<i32>(c, 4), mask = load<i32>(c, 12) - 1, x = <usize>load<i32>(c, 16);
    const before = ring + (<usize>((t - 1) & mask) << 4);
    let high = load<f64>(before), low = load<f64>(before, 8);
    for (let i = 0; i < count; i++) {
      const at = ring + (<usize>((t + i) & mask) << 4), value = load<f64>(x + (<usize>i << 3));
      const square = value - value == 0 ? value * value : 0, sum = high + square;
      const rest = low + (square == 0 ? 0 : productError(value, value, square)) + errorOf(high, square, sum);
      high = sum + rest;
      low = rest - (high - sum);
      store<f64>(at, high);
      store<f64>(at, low, 8);
      store<f64>(out + (<usize>i << 3), high);
      if (((t + i) & mask) == mask) {
        squareUp(ring, mask, s + <usize>load<i32>(c, 24), load<i32>(c, 28), t + i, t + count - 1);
        high = load<f64>(at);
        low = load<f64>(at, 8);
      }
    }
  }
}
/** Totals of all squares that the ring holds, up to the ordinal `last`; `newest` is the last that the values' ring holds. */
function squareUp(ring: usize, mask: i32, values: usize, valuesMask: i32, last: i32, newest: i32): void {
  const oldest = newest - mask;
  let high: f64 = 0, low: f64 = 0;
  for (let t = oldest; t <= last; t++) {
    const at = ring + (<usize>(t & mask) << 4), value = load<f64>(values + (<usize>(t & valuesMask) << 5), 16);
    const square = value - value == 0 ? value * value : 0, sum = high + square;
    const rest = low + (square == 0 ? 0 : productError(value, value, square)) + errorOf(high, square, sum);
    high = sum + rest;
    low = rest - (high - sum);
    store<f64>(at, high);
    store<f64>(at, low, 8);
  }
}
// [out, state, reals, n, sums, ring, mask]; reals: [divisor, n / divisor]
function windowSum(c: usize, end: usize, s: usize, count: i32, t: i32): void {
  for (; c < end; c += 28) {
    const out = <usize>load<i32>(c), reals = <usize>load<i32>(c, 8), n = load<i32>(c, 12), ready = <usize>load<i32>(c, 16), ring = s + <usize>load<i32>(c, 20), mask = load<i32>(c, 24);
    const length = <f64>n, divisor = load<f64>(reals);
    for (let i = 0; i < count; i++) {
      let result = NOT_READY;
      if (load<f64>(ready + (<usize>i << 3)) >= length) {
        const now = ring + (<usize>((t + i) & mask) << 5);
        if (load<f64>(now, 24) >= length) result = load<f64>(now, 16) * load<f64>(reals, 8);
        else {
          const then = ring + (<usize>((t + i - n) & mask) << 5), a = load<f64>(now), b = load<f64>(then), difference = a - b;
          result = (difference + (differenceError(a, b, difference) + load<f64>(now, 8) - load<f64>(then, 8))) / divisor;
        }
      }
      store<f64>(out + (<usize>i << 3), result);
    }
  }
}
const TOTALS_ERROR: f64 = 1e13 / 1267650600228229401496703205376.0; // 1e13 × 2^-100
// [out, state, reals, n, sums, ring, mask, squares, ring, mask]
function stdev(c: usize, end: usize, s: usize, count: i32, t: i32): void {
  for (; c < end; c += 40) {
    const out = <usize>load<i32>(c), n = load<i32>(c, 12), ready = <usize>load<i32>(c, 16), ring = s + <usize>load<i32>(c, 20), mask = load<i32>(c, 24);
    const squares = s + <usize>load<i32>(c, 32), squaresMask = load<i32>(c, 36), length = <f64>n;
    for (let i = 0; i < count; i++) {
      let result = NOT_READY;
      if (load<f64>(ready + (<usize>i << 3)) >= length) {
        result = 0;
        let now = ring + (<usize>((t + i) & mask) << 5);
        if (load<f64>(now, 24) < length) {
          let then = ring + (<usize>((t + i - n) & mask) << 5);
          let high = load<f64>(now), low = load<f64>(then);
          const sum = high - low, sumLow = differenceError(high, low, sum) + load<f64>(now, 8) - load<f64>(then, 8);
          now = squares + (<usize>((t + i) & squaresMask) << 4);
          then = squares + (<usize>((t + i - n) & squaresMask) << 4);
          high = load<f64>(now);
          low = load<f64>(then);
          const square = high - low, squareLow = differenceError(high, low, square) + load<f64>(now, 8) - load<f64>(then, 8);
          const a = square * length, b = sum * sum, difference = a - b;
          const rest = productError(square, length, a) + squareLow * length - productError(sum, sum, b) - 2 * sum * sumLow;
          const deviations = difference + (differenceError(a, b, difference) + rest);
          if (deviations < high * length * TOTALS_ERROR) result = fromWindow(ring, mask, t + i, n, (sum + sumLow) / length);
          else if (deviations > 0) result = sqrt<f64>(deviations) / length;
        }
      }
      store<f64>(out + (<usize>i << 3), result);
    }
  }
}
function fromWindow(ring: usize, mask: i32, t: i32, n: i32, mean: f64): f64 {
  let squares: f64 = 0;
  for (let at = t - n + 1; at <= t; at++) {
    const distance = load<f64>(ring + (<usize>(at & mask) << 5), 16) - mean;
    squares += distance * distance;
  }
  return sqrt<f64>(squares / <f64>n);
}
// State: [previous value, changes seen, average gain, average loss, last answer]
function rsi(begin: usize, end: usize, s: usize, count: i32): void {
  for (let from = 0; from < count; from += PART) for (let c = begin; c < end; c += 20) {
    const out = <usize>load<i32>(c), state = s + <usize>load<i32>(c, 4), n = <f64>load<i32>(c, 12), x = <usize>load<i32>(c, 16);
    let before = load<f64>(state), seen = load<f64>(state, 8), up = load<f64>(state, 16), down = load<f64>(state, 24), answer = load<f64>(state, 32);
    for (let i = <usize>from << 3, length = <usize>min(count, from + PART) << 3; i < length; i += 8) {
      const value = load<f64>(x + i);
      let result = NOT_READY;
      if (value - value == 0) {
        const change = value - before;
        before = value;
        if (change == change) {
          if (seen <= n) seen += 1;
          const weight = seen > n ? n : seen, size = abs<f64>(change);
          up += ((size + change) / 2 - up) / weight;
          down += ((size - change) / 2 - down) / weight;
          if (seen == n || change != 0) answer = up + down == 0 ? 50 : (100 * up) / (up + down);
          if (seen >= n) result = answer;
        }
      }
      store<f64>(out + i, result);
    }
    store<f64>(state, before);
    store<f64>(state, seen, 8);
    store<f64>(state, up, 16);
    store<f64>(state, down, 24);
    store<f64>(state, answer, 32);
  }
}

// State: [best, its ordinal, the ordinal of the ends, best after that, its ordinal, up to where that is known, n ends]
// [out, state, reals, n, x, history, its ring, its mask]; reals: [sign]
function extreme(c: usize, end: usize, s: usize, count: i32, t: i32): void {
  for (; c < end; c += 32) {
    const out = <usize>load<i32>(c), state = s + <usize>load<i32>(c, 4), sign = load<f64>(<usize>load<i32>(c, 8)), n = load<i32>(c, 12), x = <usize>load<i32>(c, 16), ready = <usize>load<i32>(c, 20);
    const length = <f64>n;
    let best = load<f64>(state), bestAt = load<f64>(state, 8);
    for (let i = 0; i < count; i++) {
      const value = load<f64>(x + (<usize>i << 3)) * sign, now = <f64>(t + i);
      if (value >= best) {
        best = value;
        bestAt = now;
      } else if (now - bestAt >= length) {
        renew(state, sign, n, s + <usize>load<i32>(c, 24), load<i32>(c, 28), t + i);
        best = load<f64>(state);
        bestAt = load<f64>(state, 8);
      }
      store<f64>(out + (<usize>i << 3), select<f64>(best * sign, NOT_READY, load<f64>(ready + (<usize>i << 3)) >= length));
    }
    store<f64>(state, best);
    store<f64>(state, bestAt, 8);
  }
}
function renew(state: usize, sign: f64, n: i32, values: usize, mask: i32, t: i32): void {
  const first = <f64>t - load<f64>(state, 16);
  if (first >= <f64>n) {
    layDown(state, sign, n, values, mask, t);
    return;
  }
  let after = load<f64>(state, 24);
  for (let at = <i32>load<f64>(state, 40) + 1; at <= t; at++) {
    const value = load<f64>(values + (<usize>(at & mask) << 3)) * sign;
    if (value >= after) {
      after = value;
      store<f64>(state, <f64>at, 32);
    }
  }
  store<f64>(state, after, 24);
  store<f64>(state, <f64>t, 40);
  if (after < load<f64>(state + (<usize>first << 3), 48)) takeEnd(state, n, <i32>first);
  else {
    store<f64>(state, after);
    store<f64>(state, after == -Infinity ? Infinity : load<f64>(state, 32), 8);
  }
}
function layDown(state: usize, sign: f64, n: i32, values: usize, mask: i32, t: i32): void {
  let best = -Infinity;
  for (let end = n - 1; end >= 0; end--) {
    const value = load<f64>(values + (<usize>((t - n + 1 + end) & mask) << 3)) * sign;
    if (value > best) best = value;
    store<f64>(state + (<usize>end << 3), best, 48);
  }
  store<f64>(state, <f64>t, 16);
  store<f64>(state, -Infinity, 24);
  store<f64>(state, <f64>t, 40);
  takeEnd(state, n, 0);
}
function takeEnd(state: usize, n: i32, end: i32): void {
  const best = load<f64>(state + (<usize>end << 3), 48);
  let at = end;
  while (at + 1 < n && load<f64>(state + (<usize>(at + 1) << 3), 48) == best) at++;
  store<f64>(state, best);
  store<f64>(state, best == -Infinity ? Infinity : load<f64>(state, 16) - <f64>n + 1 + <f64>at, 8);
}
// [out, state, reals, high, low, close]
function trueRange(c: usize, end: usize, s: usize, count: i32): void {
  for (; c < end; c += 24) {
    const out = <usize>load<i32>(c), state = s + <usize>load<i32>(c, 4), high = <usize>load<i32>(c, 12), low = <usize>load<i32>(c, 16), close = <usize>load<i32>(c, 20);
    let before = load<f64>(state);
    for (let i: usize = 0, n = <usize>count << 3; i < n; i += 8) {
      store<f64>(out + i, max<f64>(load<f64>(high + i), before) - min<f64>(load<f64>(low + i), before));
      before = load<f64>(close + i);
    }
    store<f64>(state, before);
  }
}
