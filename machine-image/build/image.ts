import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bestIsolation, type Isolation } from './isolation.ts';
import { NODE_FLAGS, warmCompileCache } from './node.ts';
import { APP_FOLDER, bytesOf, CACHE_FOLDER, layRootFs, type Part } from './root-fs.ts';
import { sbomOf } from './sbom.ts';

export const SBOM_FILE = '/app/sbom.cdx.json';
/** How the image starts, behind Node's own path. */
export const ARGS: readonly string[] = [...NODE_FLAGS, `${APP_FOLDER}/main.js`];

export interface BuiltImage {
  root: string;
  parts: Part[];
  bytes: number;
  /** Components that the SBOM names. */
  components: number;
  sbom: string;
  isolation: Isolation;
}

/** Builds all that is in the image into a new folder: files, SBOM, and the compiled code, for which the machine runs once in it with nobody's environment. */
export async function buildImage(root: string, kinds?: readonly Isolation[]): Promise<BuiltImage> {
  const laid = await layRootFs(root);
  const sbom = sbomOf(laid);
  writeFileSync(join(root, SBOM_FILE), sbom);
  const isolation = bestIsolation(root, kinds);
  const dataDir = mkdtempSync(join(tmpdir(), 'trademind-warm-'));
  try {
    await warmCompileCache(isolation.command(root, ARGS, { writable: true }), { cacheFolder: CACHE_FOLDER, dataDir });
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
  // Whoever owns them where they are copied to: the machine's user must read them.
  for (const entry of readdirSync(join(root, CACHE_FOLDER), { recursive: true, withFileTypes: true })) chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  const parts = [...laid.parts, { name: 'its code, compiled', bytes: bytesOf(join(root, CACHE_FOLDER)) }, { name: 'SBOM (CycloneDX 1.6)', bytes: Buffer.byteLength(sbom) }];
  return { root, parts, isolation, sbom, bytes: bytesOf(root), components: (JSON.parse(sbom) as { components: unknown[] }).components.length };
}
