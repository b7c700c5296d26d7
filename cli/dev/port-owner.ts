import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { promisify } from 'node:util';

/** The process that listens on a loopback port, as far as this user may see it. */
export async function portOwner(port: number): Promise<{ pid: number; command: string } | null> {
  if (process.platform === 'linux') return linuxOwner(port);
  if (process.platform === 'win32') return null;
  try {
    const { stdout } = await promisify(execFile)('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], { timeout: 2_000 });
    const pid = /^p(\d+)/m.exec(stdout)?.[1];
    return pid ? { pid: Number(pid), command: /^c(.+)$/m.exec(stdout)?.[1] ?? '' } : null;
  } catch {
    return null;
  }
}

const LISTEN = '0A';

function linuxOwner(port: number): { pid: number; command: string } | null {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readLines(table)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${hex}`) && fields[3] === LISTEN && fields[9]) inodes.add(`socket:[${fields[9]}]`);
    }
  }
  if (inodes.size === 0) return null;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        if (inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`))) return { pid: Number(pid), command: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() };
      }
    } catch {
      // Another user's process, or one that just ended.
    }
  }
  return null;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(1);
  } catch {
    return [];
  }
}
