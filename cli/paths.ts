import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the checkout. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The data folder: `--data DIR` from where the command was typed, else `.trademind/` in the checkout. */
export function dataFolder(option: string | undefined, cwd: string): string {
  return option === undefined ? join(ROOT, '.trademind') : resolve(cwd, option);
}
