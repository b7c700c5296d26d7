import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

function linuxIdentity(pid: number): string | null {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // the name (field 2) may hold anything, so count from its closing parenthesis: state is field 3, the start time field 22
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${fields[19]}`;
}

function psIdentity(pid: number): string | null {
  const [state = '', ...started] = execFileSync('/bin/ps', ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', env: { LC_ALL: 'C' } }).trim().split(/\s+/);
  return state === '' || state.startsWith('Z') ? null : started.join(' ');
}

/** What tells a process from a later one with the same pid: when it was started. Null when it does not run (any more). */
export function processIdentity(pid: number): string | null {
  try {
    return process.platform === 'linux' ? linuxIdentity(pid) : psIdentity(pid);
  } catch {
    return null;
  }
}
