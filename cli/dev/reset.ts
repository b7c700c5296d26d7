import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TradeMindError } from '@trademind/core';
import { foldersOf } from './data-folder.ts';
import type { Running } from './lock.ts';
import { endProcesses } from './process-identity.ts';

const OURS = new Set(['secrets.json', 'settings.json', 'running.json', 'images.json', 'logs', 'postgres', 'exchange', 'fly', 'local']);

/** True when a folder holds only what a local cloud writes. */
function isOurs(path: string): boolean {
  return readdirSync(path).every((name) => OURS.has(name) || name.startsWith('.write-') || /\.(tmp|stale)$/.test(name));
}

/**
 * Deletes everything that a local cloud keeps, after ending what a killed one left running. Refuses a folder that holds anything else
 * (`not_a_data_folder`).
 */
export async function resetDataFolder(path: string, left: Running | null): Promise<void> {
  if (!existsSync(path)) return;
  if (!isOurs(path)) {
    throw new TradeMindError({
      code: 'not_a_data_folder',
      message: `${path} holds files that are not TradeMind's; --reset deletes nothing there.`,
      nextStep: 'Name the right folder with --data DIR, or delete it yourself.',
    });
  }
  await endProcesses(Object.values(left?.children ?? {}), 10_000);
  const elsewhere = clusterElsewhere(foldersOf(path).postgres);
  if (elsewhere) rmSync(elsewhere, { recursive: true, force: true });
  rmSync(path, { recursive: true, force: true });
}

/** As root the cluster lies outside the data folder, in a folder that its own user can reach; `location.json` says where. */
function clusterElsewhere(postgres: string): string | null {
  try {
    const { folder } = JSON.parse(readFileSync(join(postgres, 'location.json'), 'utf8')) as { folder?: unknown };
    return typeof folder === 'string' && basename(dirname(folder)) === 'trademind' && /^[0-9a-f]{16}$/.test(basename(folder)) ? folder : null;
  } catch {
    return null;
  }
}
