import { createHash } from 'node:crypto';
import { glob, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Bundle { js: Buffer; css: Buffer; hash: string }

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = ['web/src/**/*.{ts,tsx,css}', 'packages/core/*.ts', 'packages/feed-client/*.ts'];
/** Browsers of the last two years. */
const TARGET = ['chrome120', 'firefox121', 'safari17.4'];

/**
 * The page's script and style, bundled and minified. Kept under `node_modules/.cache/trademind` by the hash of all that goes into it, so that a
 * second start bundles nothing; a cache that cannot be read or written only costs time.
 */
export async function bundlePage(cacheFolder: string = join(ROOT, 'node_modules/.cache/trademind/dashboard')): Promise<Bundle> {
  const hash = await sourceHash();
  const cached = join(cacheFolder, hash);
  try {
    const [js, css] = await Promise.all([readFile(join(cached, 'app.js')), readFile(join(cached, 'app.css'))]);
    return { js, css, hash };
  } catch {
    const built = await build();
    await store(cacheFolder, hash, built).catch(() => undefined);
    return { ...built, hash };
  }
}

/** Our own sources by content; the libraries by the lock file, which names their versions. */
async function sourceHash(): Promise<string> {
  const paths: string[] = [];
  for await (const path of glob(SOURCES, { cwd: ROOT })) if (!/\.test\.tsx?$/.test(path)) paths.push(path);
  const digest = createHash('sha256').update(TARGET.join());
  const lock = await readFile(join(ROOT, 'package-lock.json')).catch(() => Buffer.alloc(0));
  const texts = await Promise.all(paths.sort().map((path) => readFile(join(ROOT, path))));
  digest.update(lock);
  for (const [index, text] of texts.entries()) digest.update(`\0${paths[index]}\0`).update(text);
  return digest.digest('hex').slice(0, 32);
}

async function build(): Promise<{ js: Buffer; css: Buffer }> {
  // Loaded only when there is something to bundle.
  const esbuild = await import('esbuild');
  // In one go: nothing else waits for this process yet, and no service of the bundler stays behind.
  const result = esbuild.buildSync({
    entryPoints: [{ in: join(ROOT, 'web/src/main.tsx'), out: 'app' }, { in: join(ROOT, 'web/src/app.css'), out: 'app' }], outdir: '/', bundle: true, write: false, minify: true, format: 'esm', target: TARGET, jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' }, legalComments: 'none', logLevel: 'silent', absWorkingDir: ROOT,
  });
  const output = (suffix: string) => Buffer.from(result.outputFiles.find(({ path }) => path.endsWith(suffix))?.contents ?? []);
  return { js: output('.js'), css: output('.css') };
}

/** Written beside and moved into place, so that nobody reads half a bundle; earlier bundles are removed. */
async function store(folder: string, hash: string, { js, css }: { js: Buffer; css: Buffer }): Promise<void> {
  const beside = join(folder, `.${hash}.${process.pid}`);
  await mkdir(beside, { recursive: true });
  await Promise.all([writeFile(join(beside, 'app.js'), js), writeFile(join(beside, 'app.css'), css)]);
  const earlier = (await readdir(folder)).filter((name) => name !== hash && !name.startsWith('.'));
  // What stands there could not be read.
  await rm(join(folder, hash), { recursive: true, force: true });
  await rename(beside, join(folder, hash)).catch(() => rm(beside, { recursive: true, force: true }));
  await Promise.all(earlier.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}
