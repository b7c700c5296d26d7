// Runs one of the project's programs with the Node it is pinned to, on any machine with Node 18 or newer.
// Every npm script starts here: what is missing is installed first (`npm ci`), then the program runs under node_modules/.bin/node.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
// npm writes its own list last, so an older one (or none) means that the lockfile changed since, or that an installation was cut short.
const written = (file) => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;

if (written('node_modules/.package-lock.json') < written('package-lock.json') - 1_000) {
  process.stderr.write('trademind: installing what is missing (npm ci) …\n');
  const started = Date.now();
  // npm's own words go to stderr: stdout belongs to the program (`--json`).
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const result = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (result.status !== 0) {
    process.stderr.write('trademind: npm ci failed (above). Check the network and the free disk space, then run the same command again.\n');
    process.exit(1);
  }
  process.stderr.write(`trademind: installed in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

const pinned = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
const node = existsSync(pinned) ? pinned : process.execPath;
const [program, ...args] = process.argv.slice(2);
const child = spawn(node, [join(root, program), ...args], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
  env: { NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node'), ...process.env },
});
// A terminal sends Ctrl-C to the whole group; a signal sent to this process alone is passed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => { if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal); });
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
