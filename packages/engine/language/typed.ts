import type { Ref } from '../graph/dag.ts';
import type { Frame } from './frames.ts';

/** A number that a condition compares, by its own text. */
export interface Reading {
  readonly expression: string;
  readonly ref: Ref;
}

/** A compiled expression. `number`: constant; `series`: a number per candle; `condition`: holds, does not hold, or is not ready. */
export interface Typed {
  readonly type: 'number' | 'series' | 'condition';
  readonly ref: Ref;
  /** Its source, without outer parentheses. */
  readonly text: string;
  /** True where it is made of written numbers alone: its value is its text. */
  readonly literal: boolean;
  /** Of a condition: the numbers it compares. */
  readonly readings: readonly Reading[];
}

/** What a name stands for, or why it stands for nothing. */
export interface Scope {
  /** Looked up for every identifier that is not called, in the frame where it stands. */
  resolve(name: string, frame: Frame): Typed | undefined;
  /** Names to suggest when one is unknown. */
  names(): Iterable<string>;
  /** Said of a name that is not there, where there is more to say. */
  readonly hint?: string;
  /** False where only the scope's own names may be used, no series and no functions. */
  readonly series: boolean;
}

/** Words for people. */
export const TYPE_WORDS: Record<Typed['type'], string> = { number: 'a number', series: 'a series of numbers', condition: 'a condition' };
