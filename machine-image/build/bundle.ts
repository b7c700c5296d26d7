import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';

const ROOT = join(import.meta.dirname, '../..');
/** CommonJS libraries in the bundle ask for Node's own modules by `require`. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** Which files went into the bundle, and how much of each. */
export type BundleContents = Metafile;

/**
 * Bundles the machine and its screening thread into `folder`: it starts faster, and nothing that the machine does not use is in it. What both
 * need, and what is loaded late, is in chunks beside them. Rejects with esbuild's errors.
 */
export async function bundleMachine(folder: string): Promise<BundleContents> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['machine-image/main.ts', 'packages/runtime/screening/screening-worker.ts'],
    entryNames: '[name]', chunkNames: '[name]-[hash]', outdir: folder,
    bundle: true, splitting: true, platform: 'node', format: 'esm', target: 'node24',
    // Names stay, for stack traces; comments and space would be kept in memory with the text.
    minifyWhitespace: true, minifySyntax: true, legalComments: 'none',
    banner: { js: BANNER }, metafile: true, logLevel: 'warning',
  });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}\n');
  return metafile;
}
