const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
/** A point, as a digit's distance from zero. */
const DOT = 0x2e - ZERO;
const MINUS = 0x2d;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
/** A whole number up to here is exact in a double, and so is its quotient by a power of ten up to 10²² (Clinger 1990). */
const MOST_EXACT = 9_007_199_254_740_991;
const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

const LITERAL = 0;
const TEXT = 1;
const WHOLE = 2;
const DECIMAL = 3;
const TRUTH = 4;
const KINDS: Readonly<Record<string, number>> = { s: TEXT, n: WHOLE, d: DECIMAL, b: TRUTH };

/**
 * JSON of one known shape, read without building anything: what stands between the fields must be there byte by byte, else there is no
 * match and the caller falls back to `JSON.parse`. Fields: `%s` plain ASCII text, `%n` a whole number, `%d` a decimal without sign or exponent,
 * `%b` true or false. A decimal comes out as the same double that `Number` gives.
 */
export class FrameTemplate {
  /** Values of the last match: `%n`, `%d` and `%b` (1 or 0), in their order. */
  readonly numbers: Float64Array;
  /** Where the texts of the last match begin and end. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly #literals: Uint8Array;
  /** Per step: its kind, and for a literal where it begins and ends in `#literals`. */
  readonly #steps: Int32Array;

  /** @param shape e.g. `{"e":"trade","E":%n,"s":"%s"` */
  constructor(shape: string) {
    const steps: number[] = [];
    const literals: number[] = [];
    for (const part of shape.split(/(%[sndb])/)) {
      const kind = part.startsWith('%') ? KINDS[part.slice(1)] : undefined;
      if (kind !== undefined) steps.push(kind, 0, 0);
      else if (part !== '') steps.push(LITERAL, literals.length, literals.push(...Buffer.from(part)));
    }
    const kinds = steps.filter((_, index) => index % 3 === 0);
    this.#literals = Uint8Array.from(literals);
    this.#steps = Int32Array.from(steps);
    this.numbers = new Float64Array(kinds.filter((kind) => kind >= WHOLE).length);
    this.starts = new Int32Array(kinds.filter((kind) => kind === TEXT).length);
    this.ends = new Int32Array(this.starts.length);
  }

  /**
   * Matches from `offset` on; answers where the match ends, or -1. One long function with nothing but local variables: it is called for every
   * frame, and is twice as fast as the same in small ones.
   */
  match(bytes: Buffer, offset: number): number {
    const { numbers, starts, ends } = this;
    const steps = this.#steps;
    const literals = this.#literals;
    const { length } = bytes;
    let at = offset;
    let number = 0;
    let text = 0;
    for (let step = 0; step < steps.length; step += 3) {
      switch (steps[step]) {
        case LITERAL: {
          const to = steps[step + 2]!;
          for (let index = steps[step + 1]!; index < to; index++) if (bytes[at++] !== literals[index]) return -1;
          break;
        }
        case TEXT: {
          // Up to the closing quote, which a literal takes; an escape or anything beyond plain ASCII is left to `JSON.parse`.
          starts[text] = at;
          for (; at < length; at++) {
            const byte = bytes[at]!;
            if (byte === QUOTE) break;
            if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1;
          }
          ends[text++] = at;
          break;
        }
        case WHOLE: {
          const negative = bytes[at] === MINUS;
          if (negative) at++;
          const first = at;
          let value = 0;
          for (; at < length; at++) {
            const digit = bytes[at]! - ZERO;
            if (digit < 0 || digit > 9) break;
            value = value * 10 + digit;
          }
          // JSON knows no leading zeros.
          if (at === first || value > MOST_EXACT || (bytes[first] === ZERO && at > first + 1)) return -1;
          numbers[number++] = negative ? -value : value;
          break;
        }
        case DECIMAL: {
          const first = at;
          let value = 0;
          let point = -1;
          for (; at < length; at++) {
            const digit = bytes[at]! - ZERO;
            if (digit >= 0 && digit <= 9) value = value * 10 + digit;
            else if (digit === DOT && point < 0 && at > first) point = at;
            else break;
          }
          if (at === first || point === at - 1) return -1;
          const decimals = point < 0 ? 0 : at - point - 1;
          numbers[number++] = value <= MOST_EXACT && decimals < POWERS.length ? value / POWERS[decimals]! : Number(bytes.toString('latin1', first, at));
          break;
        }
        default: {
          // "true" or "false": the literal that follows sees to it that the word ends there.
          const word = bytes[at] === TRUE[0] ? TRUE : FALSE;
          for (let index = 0; index < word.length; index++) if (bytes[at++] !== word[index]) return -1;
          numbers[number++] = word === TRUE ? 1 : 0;
        }
      }
    }
    return at;
  }
}
