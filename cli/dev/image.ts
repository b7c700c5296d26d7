import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** What goes into a machine: its own folder and the packages it is made of. */
const SOURCES = ['machine-image', 'packages/core', 'packages/engine', 'packages/runtime'];
const REPOSITORY = 'registry.local/trademind-machine';

/** The release made of the sources as they are now: `registry.local/trademind-machine@sha256:…`. Any change makes another one. */
export function machineImage(root: string): string {
  const hash = createHash('sha256');
  for (const file of sourceFiles(root)) hash.update(relative(root, file).replaceAll('\\', '/')).update('\0').update(readFileSync(file)).update('\0');
  return `${REPOSITORY}@sha256:${hash.digest('hex')}`;
}

function sourceFiles(root: string): string[] {
  const files = [join(root, 'package-lock.json')];
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && entry.name !== 'node_modules' && entry.name !== 'dist') walk(path);
      else if (entry.isFile() && /\.(ts|json|sql)$/.test(entry.name) && !entry.name.includes('.test.')) files.push(path);
    }
  };
  for (const source of SOURCES) walk(join(root, source));
  return files.sort();
}
