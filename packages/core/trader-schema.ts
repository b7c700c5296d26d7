import * as z from 'zod/mini';
import { TraderDocument } from './trader.ts';

/** The published JSON Schema (2020-12) of a trader as a user writes it: `docs/trader.schema.json`. */
export function traderJsonSchema(): object {
  const { $schema, ...rest } = z.toJSONSchema(TraderDocument, { io: 'input' });
  return { $schema, title: 'TradeMind trader', description: 'What to look for on every symbol, as data. Expressions: docs/language.md; fields: docs/traders.md.', ...rest };
}
