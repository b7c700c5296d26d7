import { execFile } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TradeMindError } from '@trademind/core';
import { ROOT } from '../paths.ts';
import { foldersOf } from './data-folder.ts';
import type { Running } from './lock.ts';
import { endProcesses } from './process-identity.ts';

const OURS = new Set(['secrets.json', 'settings.json', 'running.json', 'images.json', 'logs', 'postgres', 'exchange', 'fly', 'local']);

/** Candles of `trademind data`: no part of a local cloud, and slow to fetch again. */
const KEPT = 'archive';

/** True when a folder holds only what a local cloud writes. */
function isOurs(path: string): boolean {
  return readdirSync(path).every((name) => OURS.has(name) || name === KEPT || name.startsWith('.write-') || /\.(tmp|stale)$/.test(name));
}

/**
 * Deletes everything that a local cloud keeps, after ending what a killed one left running; the candle archive stays. Refuses a folder that holds anything
 * else (`not_a_data_folder`).
 */
export async function resetDataFolder(path: string, left: Running | null, inherited: Readonly<Record<string, string>>): Promise<void> {
  if (!existsSync(path)) return;
  if (!isOurs(path)) {
    throw new TradeMindError({
      code: 'not_a_data_folder',
      message: `${path} holds files that are not TradeMind's; --reset deletes nothing there.`,
      nextStep: 'Name the right folder with --data DIR, or delete it yourself.',
    });
  }
  await endProcesses(Object.values(left?.children ?? {}), 10_000);
  await removeCluster(foldersOf(path).postgres, inherited);
  const keeps = existsSync(join(path, KEPT));
  for (const name of keeps ? readdirSync(path) : []) if (name !== KEPT) rmSync(join(path, name), { recursive: true, force: true });
  if (!keeps) rmSync(path, { recursive: true, force: true });
}

/** The database's own program knows where its cluster lies (as root outside the data folder), and ends a server that still runs on it. */
async function removeCluster(folder: string, inherited: Readonly<Record<string, string>>): Promise<void> {
  if (!existsSync(folder)) return;
  try {
    await promisify(execFile)(process.execPath, [join(ROOT, 'local-cloud/postgres/main.ts')], { env: { ...inherited, DATA_DIR: folder, POSTGRES_REMOVE: 'true' }, timeout: 60_000 });
  } catch (cause) {
    throw new TradeMindError({
      code: 'database_not_removed', message: `The database of ${folder} could not be removed.`, nextStep: 'End whatever still uses it, then start with --reset again.', cause,
    });
  }
}
