import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, sentenceOf } from '@trademind/core';
import { makeFolder } from '../../make-folder.ts';
import { SessionRecorder, type RecorderOptions } from './session-recorder.ts';

const FOLDER = 'recordings';
/** When the session began, UTC: in the order of their names the oldest stands first. */
const NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.gz$/;

interface Kept { name: string; bytes: number }

/** Of recordings, the oldest first, those that must go so that a new one may take at least half of what all may take together, and how much it may take. Pure. */
export function planRoom(kept: readonly Kept[], mostBytes: number): { remove: string[]; room: number } {
  let taken = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  const remove: string[] = [];
  for (const { name, bytes } of kept) {
    if (taken <= mostBytes / 2) break;
    remove.push(name);
    taken -= bytes;
  }
  return { remove, room: mostBytes - taken };
}

/**
 * Begins the recording of a machine's session, a new file in `recordings/` of its data folder; all recordings there take at most `mostBytes` together. Never rejects: a machine runs without a
 * recording (undefined) where none can be written, and says so.
 */
export async function recordSession({ dataDir, mostBytes, ...options }: Omit<RecorderOptions, 'path'> & { dataDir: string; mostBytes: number }): Promise<SessionRecorder | undefined> {
  const { wall, log } = options;
  const folder = join(dataDir, FOLDER);
  try {
    makeFolder(folder, 0o700);
    const names = (await readdir(folder)).filter((name) => NAME.test(name)).toSorted();
    const { remove, room } = planRoom(await Promise.all(names.map(async (name) => ({ name, bytes: (await stat(join(folder, name))).size }))), mostBytes);
    for (const name of remove) await rm(join(folder, name), { force: true });
    if (remove.length > 0) log('info', 'recordings_removed', `The ${remove.length} oldest recordings of ${folder} made room for a new one.`);
    const path = join(folder, `${new Date(wall.epoch()).toISOString().replaceAll(':', '-')}.gz`);
    const recorder = await SessionRecorder.open({ ...options, path, mostBytes: room });
    log('info', 'recording', `This session is recorded into ${path}, up to ${Math.floor(room / 1024 ** 2)} MB.`);
    return recorder;
  } catch (error) {
    log('warn', codeOf(error), `This session is not recorded: ${sentenceOf(error)}`);
    return undefined;
  }
}
