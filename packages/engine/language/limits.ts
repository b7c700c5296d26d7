import { MAX_LENGTH } from '../indicators/definition.ts';

/** Every limit of the language. An expression beyond one is refused with the limit's figure, before a trader is saved. */
export const LIMITS = {
  /** Characters of one expression. */
  sourceLength: 2_000,
  /** Parentheses, calls and operators inside each other. */
  depth: 100,
  /** Names in `let`, `params` and `where`, each. */
  names: 100,
  /** Distinct nodes of one trader. */
  nodes: 2_000,
  /** Candles: one length or offset; and until a whole trader has settled. */
  length: MAX_LENGTH,
  settle: 20_000,
  /** Doubles of running state that a trader may keep per symbol (8 bytes each). */
  stateSize: 65_536,
} as const;
