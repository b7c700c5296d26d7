import { mkdirSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';

const ROOT = join(import.meta.dirname, '../..');

/**
 * Node's own modules, asked for as `require` does. An `import` of one reads all that it exports, and two exports of `http` load the whole of undici and http2: 10 MB of memory for
 * what the machine never uses.
 */
const BUILTINS: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z][a-z_/:0-9]*$/ }, ({ path }) => (isBuiltin(path) ? { path, namespace: 'builtin' } : undefined));
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({ contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});` }));
  },
};

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
    plugins: [BUILTINS], metafile: true, logLevel: 'warning',
  });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}\n');
  return metafile;
}
