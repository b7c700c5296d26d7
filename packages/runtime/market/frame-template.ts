const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const NINE = 0x39;
const DOT = 0x2e;
const MINUS = 0x2d;
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
  #at = 0;

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

  /** Matches from `offset` on; answers where the match ends, or -1. */
  match(bytes: Buffer, offset: number): number {
    const steps = this.#steps;
    this.#at = offset;
    let number = 0;
    let text = 0;
    for (let step = 0; step < steps.length; step += 3) {
      const kind = steps[step]!;
      if (kind === LITERAL) {
        if (!this.#literal(bytes, steps[step + 1]!, steps[step + 2]!)) return -1;
      } else if (kind === TEXT) {
        this.starts[text] = this.#at;
        if (!this.#text(bytes)) return -1;
        this.ends[text++] = this.#at;
      } else {
        const value = kind === DECIMAL ? this.#decimal(bytes) : kind === WHOLE ? this.#whole(bytes) : this.#truth(bytes);
        // NaN: no number stands here.
        if (value !== value) return -1;
        this.numbers[number++] = value;
      }
    }
    return this.#at;
  }

  #literal(bytes: Buffer, from: number, to: number): boolean {
    const literals = this.#literals;
    let at = this.#at;
    for (let index = from; index < to; index++) if (bytes[at++] !== literals[index]) return false;
    this.#at = at;
    return true;
  }

  /** Up to the closing quote, which a literal takes; an escape or anything beyond plain ASCII is left to `JSON.parse`. */
  #text(bytes: Buffer): boolean {
    let at = this.#at;
    for (; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) break;
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return false;
    }
    this.#at = at;
    return at < bytes.length;
  }

  #whole(bytes: Buffer): number {
    const negative = bytes[this.#at] === MINUS;
    if (negative) this.#at++;
    const first = this.#at;
    let value = 0;
    let at = first;
    for (; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte < ZERO || byte > NINE) break;
      value = value * 10 + (byte - ZERO);
    }
    this.#at = at;
    // JSON knows no leading zeros.
    if (at === first || value > MOST_EXACT || (bytes[first] === ZERO && at > first + 1)) return Number.NaN;
    return negative ? -value : value;
  }

  #decimal(bytes: Buffer): number {
    const first = this.#at;
    let value = 0;
    let point = -1;
    let at = first;
    for (; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte >= ZERO && byte <= NINE) value = value * 10 + (byte - ZERO);
      else if (byte === DOT && point < 0 && at > first) point = at;
      else break;
    }
    this.#at = at;
    if (at === first || point === at - 1) return Number.NaN;
    const decimals = point < 0 ? 0 : at - point - 1;
    return value <= MOST_EXACT && decimals < POWERS.length ? value / POWERS[decimals]! : Number(bytes.toString('latin1', first, at));
  }

  #truth(bytes: Buffer): number {
    // "true" or "false": the literal that follows sees to it that the word ends there.
    const word = bytes[this.#at] === 0x74 ? 'true' : 'false';
    for (let index = 0; index < word.length; index++) if (bytes[this.#at++] !== word.charCodeAt(index)) return Number.NaN;
    return word === 'true' ? 1 : 0;
  }
}
