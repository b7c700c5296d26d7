import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Whether the text names a test so, by itself or as the form of many. */
export function hasTest(source: string, name: string): boolean {
  const words = source.replaceAll("\\'", "'");
  return ["'", '`'].some((quote) => words.includes(`(${quote}${name}${quote},`));
}

/** What is wrong with a test that a page names by file and name; null: it is there. */
export function missing(file: string, name: string): string | null {
  if (!existsSync(join(ROOT, file))) return `${file} is not there`;
  return hasTest(readFileSync(join(ROOT, file), 'utf8'), name) ? null : `${file} has no test "${name}"`;
}

export const page = (name: string): string => readFileSync(join(ROOT, 'docs', name), 'utf8');
