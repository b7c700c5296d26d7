import { invalidArgument } from './errors.ts';
import { isObject } from './request.ts';
import { draw } from './schema-answer.ts';

/**
 * What can be made to go wrong, on request: limits per minute and day, any error status, an answer whose text is no JSON (garbage) or JSON of another shape (wrong-schema), a body that is no JSON
 * (broken-body), a connection that ends within the body (cut), no answer at all (hang), one that comes later (slow), one that Google withholds (blocked) or that says nothing (empty) or not what
 * it used (no-usage), and any text at all as the model's (answer).
 */
const KINDS = ['minute-limit', 'day-limit', 'error', 'garbage', 'wrong-schema', 'broken-body', 'cut', 'hang', 'slow', 'blocked', 'empty', 'no-usage', 'answer'] as const;
type Kind = (typeof KINDS)[number];

export interface Fault {
  fault: Kind;
  /** Only for this model. */
  model?: string;
  /** How often it still strikes; left out, until it is taken away. */
  times?: number;
  /** Share of the calls that it strikes, 0 to 1; left out, all. */
  share?: number;
  /** error: the HTTP status (500). slow: ms more (5000). limits: seconds until one may come back (30). answer: the text. */
  status?: number;
  ms?: number;
  retryAfterSeconds?: number;
  text?: string;
}

/** The faults in force, in the order in which they are tried; the first that strikes a call is the only one. */
export class Faults {
  readonly #seed: string;
  #faults: Fault[] = [];
  #calls = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  get list(): readonly Fault[] {
    return this.#faults;
  }

  /** Puts others in force. Throws INVALID_ARGUMENT with the field that is wrong. */
  set(body: unknown): void {
    if (!Array.isArray(body)) throw invalidArgument('Send the faults as a list, [] for none.');
    this.#faults = body.map(readFault);
  }

  /** What strikes this call. */
  next(model: string): Fault | undefined {
    this.#calls += 1;
    const struck = this.#faults.find((fault, at) => (fault.model ?? model) === model && (fault.times ?? 1) > 0 && draw(`${this.#seed}:fault:${at}`, String(this.#calls)) < (fault.share ?? 1));
    if (struck?.times !== undefined) struck.times -= 1;
    return struck;
  }
}

const NUMBERS = { times: [0, 1e6], share: [0, 1], status: [400, 599], ms: [0, 600_000], retryAfterSeconds: [0, 86_400] } as const;

function readFault(value: unknown, index: number): Fault {
  const where = `[${index}]`;
  if (!isObject(value)) throw invalidArgument('Each fault is an object.', where);
  if (!KINDS.includes(value['fault'] as Kind)) throw invalidArgument(`fault must be one of ${KINDS.join(', ')}.`, `${where}.fault`);
  for (const [name, field] of Object.entries(value)) {
    const [least, most] = NUMBERS[name as keyof typeof NUMBERS] ?? [];
    if (least === undefined || most === undefined) {
      if (!['fault', 'model', 'text'].includes(name) || typeof field !== 'string') throw invalidArgument(`${name.slice(0, 40)} is not a field of a fault, or not a text.`, `${where}.${name.slice(0, 40)}`);
    } else if (typeof field !== 'number' || !(field >= least && field <= most)) throw invalidArgument(`${name} must be a number from ${least} to ${most}.`, `${where}.${name}`);
  }
  return { ...value } as unknown as Fault;
}
