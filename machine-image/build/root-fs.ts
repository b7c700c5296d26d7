import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TradeMindError } from '@trademind/core';
import { bundleMachine, type BundleContents } from './bundle.ts';
import { MACHINE_ENV } from './node.ts';

/** Who the machine runs as: nobody that a host knows. */
export const MACHINE_USER = { uid: 65_532, gid: 65_532 } as const;
export const NODE_PATH = '/usr/local/bin/node';
export const APP_FOLDER = '/app';
export const CACHE_FOLDER = '/app/cache';
/** The image's whole environment (the Dockerfile's ENV). SQLite's passing files go where the machine may write. */
export const IMAGE_ENV: Readonly<Record<string, string>> = { ...MACHINE_ENV, NODE_COMPILE_CACHE: CACHE_FOLDER, DATA_DIR: '/data', SQLITE_TMPDIR: '/data' };

/** A part of the image: a sentence of what it is, and its bytes. */
export interface Part { name: string; bytes: number }
/** A library of the system, by the path that the loader finds it at. */
export interface SystemLibrary { path: string; file: string }
export interface RootFs { root: string; parts: Part[]; contents: BundleContents; libraries: SystemLibrary[]; stripped: boolean }

/**
 * Lays the machine's root file system into a new folder: this very Node with the libraries that it needs, and the bundle. There is no shell and nothing else: certificates and time
 * zones are in Node itself. Throws TradeMindError `image_needs_linux`, `image_folder_taken`.
 */
export async function layRootFs(root: string): Promise<RootFs> {
  if (process.platform !== 'linux') throw new TradeMindError({ code: 'image_needs_linux', message: 'A machine runs on Linux; this is another system.', nextStep: 'Run it on Linux, or build machine-image/Dockerfile with a Docker engine.' });
  if (existsSync(root) && readdirSync(root).length > 0) throw new TradeMindError({ code: 'image_folder_taken', message: `${root} is not empty.`, nextStep: 'Name a new folder.' });
  for (const folder of ['/data', '/proc', '/etc', dirname(NODE_PATH), CACHE_FOLDER]) mkdirSync(join(root, folder), { recursive: true });
  const libraries = librariesOf(process.execPath);
  for (const { path, file } of libraries) copy(file, join(root, path));
  const node = join(root, NODE_PATH);
  copy(process.execPath, node);
  const stripped = strip(node);
  // Names for the user, so that tools which look one up find it.
  writeFileSync(join(root, 'etc/passwd'), `machine:x:${MACHINE_USER.uid}:${MACHINE_USER.gid}::/data:/sbin/nologin\n`);
  writeFileSync(join(root, 'etc/group'), `machine:x:${MACHINE_USER.gid}:\n`);
  const contents = await bundleMachine(join(root, APP_FOLDER));
  if (process.getuid?.() === 0) for (const folder of ['/data', CACHE_FOLDER]) chownSync(join(root, folder), MACHINE_USER.uid, MACHINE_USER.gid);
  const parts = [
    { name: `Node ${process.versions.node}${stripped ? ', stripped' : ''}`, bytes: statSync(node).size },
    { name: `${libraries.length} libraries of the system`, bytes: libraries.reduce((sum, { path }) => sum + statSync(join(root, path)).size, 0) },
    { name: 'the machine (bundle)', bytes: bytesOf(join(root, APP_FOLDER)) },
  ];
  return { root, parts, contents, libraries, stripped };
}

/** All files below a folder, in bytes. */
export function bytesOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

/** What the loader would load for a program, as it says itself, and what the C library loads to look up names where it still does. */
function librariesOf(program: string): SystemLibrary[] {
  const said = execFileSync('ldd', [program], { encoding: 'utf8' });
  const paths = [...said.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path]) => path!);
  const libc = paths.find((path) => path.includes('/libc.so'));
  const forNames = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'].map((name) => join(dirname(libc ?? '/lib/x'), name)).filter((path) => existsSync(path));
  return [...new Set([...paths, ...forNames])].map((path) => ({ path, file: realpathSync(path) }));
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}

/** Takes the debugging symbols out, where the tool for it is there: some 18 MB of Node. */
function strip(file: string): boolean {
  try {
    execFileSync('strip', ['--strip-all', file], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
