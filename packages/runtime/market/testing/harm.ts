/** Draws of one seeded run. */
export class Draws {
  readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  /** A whole number, both ends included. */
  within(from: number, to: number): number {
    return from + Math.floor(this.random() * (to - from + 1));
  }

  of<T>(all: readonly T[]): T {
    return all[this.within(0, all.length - 1)]!;
  }

  chance(share: number): boolean {
    return this.random() < share;
  }
}

/** What stands where something else was meant, as JSON. Some of it throws when it is made a text or a number. */
const STRANGERS = [
  'null', 'true', 'false', '0', '-0', '-1', '1.5', '1e308', '1e999', '-1e999', '9007199254740991', '9007199254740993', '8640000000000001', '"NaN"', '"Infinity"', '"-Infinity"', '"1e5"', '"0x10"',
  '"-1"', '" 1"', '"1,5"', '"\\u0000"', '"\\ud800"', '""', '[]', '[[1]]', '{}', '{"toString":null,"valueOf":null}', '{"toString":1}', '{"length":-1}', '{"__proto__":{"polluted":true}}', '{"then":1}', `"${'9'.repeat(400)}"`, `"${'x'.repeat(5_000)}"`,
  '"__proto__"', '"constructor"', 'NaN', 'Infinity', 'undefined', '01', '1.', '.5', '+1', "'1'",
] as const;
/** Stands where a stranger is laid in: no value holds it. */
const HERE = '\u0001here\u0001';

type Path = (string | number)[];

function paths(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, inner]) => paths(inner, [...at, key]))];
}

/** The JSON with one of its values, at any depth, become something else, or gone. */
export function withStranger(json: string, draws: Draws): string {
  const root = { '': JSON.parse(json) as unknown };
  const path = ['', ...draws.of(paths(root['']))];
  const last = path.pop()!;
  const parent = path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], root) as Record<string | number, unknown>;
  if (draws.chance(0.15) && last !== '') delete parent[last];
  else parent[last] = HERE;
  return (JSON.stringify(root['']) ?? '').replace(JSON.stringify(HERE), () => draws.of(STRANGERS));
}

/** Bytes of a text, damaged on their way: cut, overwritten, left out, doubled, or with others between. */
export function damaged(text: string, draws: Draws): Buffer {
  const bytes = Buffer.from(text);
  const at = draws.within(0, Math.max(0, bytes.length - 1));
  const noise = Buffer.from(Array.from({ length: draws.within(1, 8) }, () => draws.within(0, 255)));
  switch (draws.within(0, 5)) {
    case 0: return bytes.subarray(0, at);
    case 1: return bytes.subarray(at);
    case 2: return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at + noise.length)]);
    case 3: return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
    case 4: return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + noise.length)]);
    default: return Buffer.concat([bytes.subarray(0, at), bytes.subarray(draws.within(0, at))]);
  }
}
