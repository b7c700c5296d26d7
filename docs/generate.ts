// `npm run docs`: writes the pages that are made from the code. tests/docs fails while one of them is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { traderJsonSchema } from '@trademind/core';
import { healthPage } from './health-page.ts';
import { languagePage } from './language-page.ts';
import { scalingPage } from './scaling-page.ts';
import { withTemplates } from './templates-table.ts';

/** Every page that is made, or of which a part is, by its file name. */
export const PAGES: Readonly<Record<string, () => string>> = {
  'health.md': healthPage,
  'language.md': languagePage,
  'scaling.md': scalingPage,
  'traders.md': () => withTemplates(readFileSync(join(import.meta.dirname, 'traders.md'), 'utf8')),
  'trader.schema.json': () => `${JSON.stringify(traderJsonSchema(), null, 2)}\n`,
};

if (import.meta.main) for (const [name, make] of Object.entries(PAGES)) writeFileSync(join(import.meta.dirname, name), make());
