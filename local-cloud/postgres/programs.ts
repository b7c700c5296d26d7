import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Place } from './place.ts';

/** How PostgreSQL's programs are run: as the place's user, in its folder, with an environment that holds nothing of ours. */
export function spawnOptions(place: Place) {
  return {
    cwd: place.folder,
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC', ...(process.platform === 'win32' ? { SystemRoot: process.env['SystemRoot'] ?? '' } : {}) },
    ...(place.uid === undefined ? {} : { uid: place.uid }),
    ...(place.gid === undefined ? {} : { gid: place.gid }),
  };
}

export const programPath = (place: Place, name: string) => join(place.bin, process.platform === 'win32' ? `${name}.exe` : name);

/** Runs initdb or pg_ctl to its end. Rejects with what it said last. */
export function runProgram(place: Place, name: 'initdb' | 'pg_ctl', args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(programPath(place, name), args, { ...spawnOptions(place), stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const keep = (chunk: Buffer) => { said = (said + chunk.toString()).slice(-8_192); };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${name} ended with status ${code ?? 'none'}\n${said}`));
    });
  });
}
