import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluateExpression, LanguageError } from '@trademind/engine';
import { describe, expect, test } from 'vitest';
import { readTraderFile } from '../../cli/services/trader-file.ts';
import { PAGES } from '../../docs/generate.ts';
import { simulateCandles } from '../../packages/engine/testing/simulate.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const page = (name: string): string => readFileSync(join(DOCS, name), 'utf8');

test.each(Object.keys(PAGES))('docs/%s is what the code makes of it today', (name) => {
  expect(page(name) === PAGES[name]!(), `docs/${name} is stale: run \`node docs/generate.ts\``).toBe(true);
});

/** What stands in the fenced blocks of a kind, with the line where it begins. */
function blocks(name: string, kind: string): { text: string; line: number }[] {
  const text = page(name);
  return [...text.matchAll(new RegExp(`^\`\`\`${kind}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map((match) => ({ text: match[1]!, line: text.slice(0, match.index).split('\n').length }));
}

describe('every example of the language page', () => {
  const fenced = blocks('language.md', 'js').flatMap(({ text, line }) => text.trim().split('\n').map((one, index) => [line + 1 + index, one] as const));
  const inTables = page('language.md').split('\n').flatMap((text, index) => {
    const cells = /^\| \d+ \|.*\| `(.*)` \|$/.exec(text);
    return cells === null ? [] : [[index + 1, cells[1]!.replaceAll('\\|', '|')] as const];
  });
  const candles = simulateCandles(300);
  const names = { params: { calm: 0.04, n: 20 } };

  test.each([...fenced, ...inTables])('line %i: %s', (_line, text) => {
    try {
      const { values, type } = evaluateExpression(text, candles, names);
      expect(type, 'an example is a condition').toBe('condition');
      expect(values).toHaveLength(candles.length);
    } catch (error) {
      // What needs other symbols compiles, and has nothing to run on here.
      if (!(error instanceof LanguageError && /other symbols/.test(error.message))) throw error;
      expect(evaluateExpression(text, [], names).type).toBe('condition');
    }
  });

  test('are many', () => {
    expect(fenced.length).toBeGreaterThan(30);
    expect(inTables.length).toBeGreaterThan(20);
  });
});

test('every trader in the pages is valid and compiles without a warning', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trademind-docs-'));
  try {
    const traders = readdirSync(DOCS).filter((name) => name.endsWith('.md')).flatMap((name) => blocks(name, 'yaml').map((block) => ({ name, ...block })));
    for (const { name, line, text } of traders) {
      writeFileSync(join(folder, 't.yaml'), text);
      expect(readTraderFile('t.yaml', folder).flatMap(({ warnings }) => warnings), `docs/${name}, line ${line}`).toEqual([]);
    }
    expect(traders.length).toBeGreaterThan(5);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
