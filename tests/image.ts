// `npm run image`: builds the machine's image, says its size, and boots it to ready against a local cloud of its own; with a Docker engine the image itself too.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sentenceOf } from '@trademind/core';
import { ARGS, buildImage, SBOM_FILE } from '../machine-image/build/image.ts';
import { MOST_BYTES, printSizes } from '../machine-image/build/print.ts';
import { bootImage, type Booted } from './image/boot.ts';
import { buildWithDocker, DOCKER_COMMAND, dockerEngine } from './image/docker.ts';
import { startOwnDatabase } from './support/own-database.ts';

const HELP = `npm run image [-- --out DIR] [--base IMAGE] [--no-boot] [--json]

Builds what machine-image/Dockerfile builds, without Docker: Node, its libraries, the bundled machine, its SBOM. Prints the size by part and boots it, read-only and as a user
without rights where the kernel allows, until /ready answers, against PostgreSQL, the Supabase gateway, the control plane, and the stand-ins of Fly and Binance.
With a Docker engine it builds and boots the Dockerfile's image as well.

  --out DIR      keep the root file system here (a new folder) with sbom.cdx.json beside it; else it is removed
  --base IMAGE   Docker: the base image, e.g. node@sha256:…
  --no-boot      only build
  --json         one line of JSON on stdout; all else goes to stderr
Exit status: 0 built, small enough and ready; 3 above ${MOST_BYTES / 1e6} MB; 2 usage; 1 it could not be built or did not become ready.
`;

function options() {
  try {
    return parseArgs({
      options: { out: { type: 'string' }, base: { type: 'string' }, 'no-boot': { type: 'boolean', default: false }, json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    }).values;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n\n${HELP}`);
    return process.exit(2);
  }
}

const { out, base, 'no-boot': noBoot, json, help } = options();
if (help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const say = (text: string) => (json ? process.stderr : process.stdout).write(`${text}\n`);
const boot = async (command: readonly string[]): Promise<Booted> => bootImage({ database: await startOwnDatabase(), command, say: (text) => say(`  ${text}`) });
const told = ({ readyAfterMs, process: { uid, rootWritable, rssMb } }: Booted, dataBytes = '') =>
  `ready ${Math.round(readyAfterMs)} ms after the start of its process; uid ${uid}, root ${rootWritable ? 'WRITABLE' : 'read-only'}, ${rssMb.toFixed(1)} MB in memory${dataBytes}; drained and ended on SIGTERM`;

const folder = mkdtempSync(join(tmpdir(), 'trademind-image-'));
const result: Record<string, unknown> = {};
try {
  say('The root file system, without Docker:');
  const root = out ?? join(folder, 'root');
  const { parts, bytes, components, isolation, sbom } = await buildImage(root);
  say(printSizes({ parts, bytes, components }).trimEnd());
  if (out !== undefined) {
    writeFileSync(`${out}.sbom.cdx.json`, sbom);
    say(`Kept: ${out} and ${out}.sbom.cdx.json (in it as ${SBOM_FILE}).`);
  }
  Object.assign(result, { bytes, parts, components, small: bytes <= MOST_BYTES });
  if (!noBoot) {
    say(`Booting it. Isolation: ${isolation.says}.`);
    const booted = await boot(isolation.command(root, ARGS));
    say(told(booted));
    Object.assign(result, { isolation: isolation.name, readyAfterMs: Math.round(booted.readyAfterMs), ...booted.process });
  }
  const engine = dockerEngine();
  if (engine.answers) {
    say('A Docker engine answers: building machine-image/Dockerfile.');
    const image = buildWithDocker(base);
    say(`Docker image ${image.id}: ${(image.bytes / 1e6).toFixed(1)} MB`);
    const booted = noBoot ? undefined : await boot(DOCKER_COMMAND);
    if (booted) say(told(booted));
    Object.assign(result, { docker: { ...image, ...(booted && { readyAfterMs: Math.round(booted.readyAfterMs), ...booted.process }) } });
    if (image.bytes > MOST_BYTES) result['small'] = false;
  } else {
    say(`No Docker engine (${engine.why}): the Dockerfile itself was not built. Its files are those above.`);
    result['docker'] = null;
  }
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exitCode = result['small'] === true ? 0 : 3;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : sentenceOf(error)}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
// The control plane and the gateway ran in this process; what is left of them (kept connections) must not hold it.
process.exit();
