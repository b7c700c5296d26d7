import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APP_FOLDER, CACHE_FOLDER, IMAGE_ENV, MACHINE_USER, NODE_PATH } from './root-fs.ts';

/** How far a root file system can be made to look like a container's without a container engine. */
export interface Isolation {
  name: 'root' | 'user-namespace' | 'container' | 'none';
  /** What holds for the machine, as a sentence. */
  says: string;
  /** The command that runs Node in it. DATA_DIR of the caller's environment is what it may write to; `writable`: all of it. */
  command(root: string, args: readonly string[], options?: { writable?: boolean }): readonly [string, ...string[]];
}

const exports = (environment: Readonly<Record<string, string>>): string => `export ${Object.entries(environment).map(([name, value]) => `${name}=${value}`).join(' ')}`;
const USER = `${MACHINE_USER.uid}:${MACHINE_USER.gid}`;

/** In a mount namespace of its own: the root folder over itself (read-only if asked for), the data folder in it, and /proc. Then the user, and no way back to privileges. */
const ENTER = `root=$1 mode=$2; shift 2
mount --bind "$root" "$root"
mount --bind "$DATA_DIR" "$root/data"
mount --rbind /proc "$root/proc"
[ "$mode" = rw ] || mount -o remount,bind,ro "$root"
${exports(IMAGE_ENV)}
cd "$root"
`;
const AS_ROOT = `chown ${USER} "$DATA_DIR"
${ENTER}exec setpriv --no-new-privs chroot --userspec=${USER} "$root" ${NODE_PATH} "$@"`;
const AS_USER = `${ENTER}exec chroot "$root" ${NODE_PATH} "$@"`;
/** Inside a container nobody may mount, but all files are the container's own: the machine lies at its path for the while. Node keeps code by the path of its file and by the user. */
const IN_PLACE = `root=$1; shift 2
[ ! -e ${APP_FOLDER} ]
cp -a "$root${APP_FOLDER}" ${APP_FOLDER}
trap 'cp -a ${CACHE_FOLDER}/. "$root${CACHE_FOLDER}"; rm -rf ${APP_FOLDER}' EXIT
chown ${USER} "$DATA_DIR"
${exports({ ...IMAGE_ENV, DATA_DIR: '"$DATA_DIR"', SQLITE_TMPDIR: '"$DATA_DIR"' })}
setpriv --reuid=${MACHINE_USER.uid} --regid=${MACHINE_USER.gid} --clear-groups --no-new-privs "$root${NODE_PATH}" "$@" &
trap "kill -TERM $! 2> /dev/null || true" TERM
wait $! || wait $!`;
/** Nothing but the files: the image's own loader, libraries and Node. */
const PLAIN = `root=$1; shift 2
loader=$(ls "$root"/lib64/ld-linux-*.so.* "$root"/lib/ld-linux-*.so.* 2>/dev/null | head -n 1)
libraries=$(find "$root" -name 'libc.so.6' -exec dirname {} \\;)
${exports({ ...IMAGE_ENV, NODE_COMPILE_CACHE: `"$root${CACHE_FOLDER}"`, DATA_DIR: '"$DATA_DIR"', SQLITE_TMPDIR: '"$DATA_DIR"' })}
exec "$loader" --library-path "$libraries" "$root${NODE_PATH}" "$@"`;

const script = (before: readonly string[], text: string): Isolation['command'] => (root, args, { writable = false } = {}) =>
  ['/usr/bin/env', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', ...before, '/bin/sh', '-euc', text, 'enter', root, writable ? 'rw' : 'ro', ...args];
const isRoot = process.getuid?.() === 0;
const inApp = (command: Isolation['command']): Isolation['command'] => (root, args, options) => command(root, args.map((arg) => (arg.startsWith(APP_FOLDER) ? join(root, arg) : arg)), options);

export const KINDS: readonly Isolation[] = [
  { name: 'root', says: `a root of its own, read-only but for DATA_DIR; uid ${MACHINE_USER.uid}, no privileges and no way to any`, command: script(['unshare', '--mount', '--propagation', 'private'], AS_ROOT) },
  { name: 'user-namespace', says: 'a root of its own, read-only but for DATA_DIR, in a user namespace; run as root it would have a user of its own too', command: script(['unshare', '--user', '--map-root-user', '--mount', '--propagation', 'private'], AS_USER) },
  { name: 'container', says: `uid ${MACHINE_USER.uid}, no privileges and no way to any, in the files of this container: it may not mount, so that nothing is read-only`, command: script([], IN_PLACE) },
  { name: 'none', says: 'none: this kernel lets nobody but root make one. The image\'s own loader, libraries, Node and bundle run in place', command: inApp(script([], PLAIN)) },
];

/** The best that this computer allows, found by trying each on the root file system. Throws an Error when Node does not run in any. */
export function bestIsolation(root: string, kinds: readonly Isolation[] = KINDS): Isolation {
  const dataDir = mkdtempSync(join(tmpdir(), 'trademind-try-'));
  try {
    let why = '';
    for (const kind of kinds) {
      if ((kind.name === 'root' || kind.name === 'container') !== isRoot && kind.name !== 'none') continue;
      const [program, ...args] = kind.command(root, ['--version']);
      const { status, stderr } = spawnSync(program, args, { env: { ...process.env, DATA_DIR: dataDir }, encoding: 'utf8' });
      if (status === 0) return kind;
      why += `\n${kind.name}: ${stderr}`;
    }
    throw new Error(`Node does not run in ${root}:${why}`);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}
