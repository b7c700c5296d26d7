import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as Esbuild from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
/** Part of the cache key: change it with the options below. */
const RECIPE = 'esbuild-0.28.2 jsx-automatic 1';

let registered = false;

/**
 * Lets Node import `.tsx` (it strips types, but does not know JSX). Transformed text is kept by the hash of its content, so that esbuild is
 * loaded only after an edit. Call before the dynamic import of a screen.
 */
export function registerTsx(cache = join(root, 'node_modules', '.cache', 'trademind', 'tsx')): void {
  if (registered) return;
  registered = true;
  registerHooks({
    load: (url, context, nextLoad) => {
      if (!url.startsWith('file:') || !url.endsWith('.tsx')) return nextLoad(url, context);
      return { format: 'module', shortCircuit: true, source: transform(fileURLToPath(url), cache) };
    },
  });
}

/** JavaScript of a `.tsx` file, from the cache when its content is the same. */
export function transform(file: string, cache: string): string {
  const source = readFileSync(file, 'utf8');
  const kept = join(cache, `${createHash('sha256').update(RECIPE).update(source).digest('hex')}.js`);
  try {
    return readFileSync(kept, 'utf8');
  } catch {
    const { transformSync } = require('esbuild') as typeof Esbuild;
    const { code } = transformSync(source, { loader: 'tsx', jsx: 'automatic', format: 'esm', target: 'node24', sourcefile: file, sourcemap: 'inline' });
    try {
      mkdirSync(cache, { recursive: true });
      writeFileSync(`${kept}.${process.pid}`, code);
      renameSync(`${kept}.${process.pid}`, kept);
    } catch {
      // A read-only checkout: transformed again at the next start.
    }
    return code;
  }
}
