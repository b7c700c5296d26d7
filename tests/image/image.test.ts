import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ARGS, buildImage, SBOM_FILE, type BuiltImage } from '../../machine-image/build/image.ts';
import { MOST_BYTES, printSizes } from '../../machine-image/build/print.ts';
import { IMAGE_ENV, layRootFs, NODE_PATH } from '../../machine-image/build/root-fs.ts';
import { createTestDatabase } from '../support/database.ts';
import { bootImage } from './boot.ts';

const dockerfile = readFileSync(join(import.meta.dirname, '../../machine-image/Dockerfile'), 'utf8');

test('the Dockerfile starts the machine as it is measured and booted here: the same program, flags and environment', () => {
  const entry = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)![1]!) as string[];
  expect(entry).toEqual([NODE_PATH, ...ARGS]);
  const env = /^ENV ((?:.*\\\n)*.*)$/m.exec(dockerfile)![1]!.replaceAll('\\\n', ' ').trim().split(/\s+/).map((pair) => pair.split('='));
  expect(Object.fromEntries(env)).toEqual(IMAGE_ENV);
});

test('the image has nothing of its base but files that were chosen, is nobody\'s, and asks for its health without a shell', () => {
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
  expect(last).toMatch(/^\nFROM scratch\n/);
  expect(last).not.toMatch(/^RUN /m);
  expect(last).toMatch(/^USER 65532:65532$/m);
  expect(last).toMatch(/^HEALTHCHECK .*\\\n {2}CMD \["/m);
  expect(dockerfile).toMatch(/^ARG BASE=/m);
  for (const label of ['title', 'description', 'licenses', 'version', 'revision', 'source', 'base.name']) expect(last).toContain(`org.opencontainers.image.${label}=`);
});

// Elsewhere there is no Linux binary to lay, and the Dockerfile is what remains.
describe.skipIf(process.platform !== 'linux')('the root file system', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trademind-image-test-'));
  const root = join(folder, 'root');
  let image: BuiltImage;
  beforeAll(async () => { image = await buildImage(root); }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('is small enough, and says so by part', () => {
    expect(image.bytes).toBeLessThanOrEqual(MOST_BYTES);
    expect(printSizes(image)).toMatch(/Node 24\..*\n.*libraries.*\n.*bundle.*\n.*compiled.*\n.*SBOM.*\n.*in all: ok/);
    expect(printSizes({ ...image, bytes: MOST_BYTES + 1 })).toContain('TOO LARGE');
  });

  test('names every library of the bundle in its SBOM, and no tool that only builds', () => {
    const { bomFormat, components } = JSON.parse(readFileSync(join(root, SBOM_FILE), 'utf8')) as { bomFormat: string; components: { name: string; version?: string; purl?: string }[] };
    expect(bomFormat).toBe('CycloneDX');
    const names = components.map(({ name }) => name);
    for (const name of ['ws', 'zod', 'pino', 'jose', 'acorn', 'prom-client', 'node']) expect(names).toContain(name);
    for (const name of ['esbuild', 'vitest', 'typescript', '@cyclonedx/cyclonedx-library']) expect(names).not.toContain(name);
    const ws = JSON.parse(readFileSync(join(import.meta.dirname, '../../node_modules/ws/package.json'), 'utf8')) as { version: string };
    expect(components.find(({ name }) => name === 'ws')).toMatchObject({ version: ws.version, purl: `pkg:npm/ws@${ws.version}` });
  });

  test('is not laid over what is there', async () => {
    await expect(layRootFs(root)).rejects.toMatchObject({ code: 'image_folder_taken' });
  });

  test('boots to ready against a whole local cloud, without rights and able to write its data alone, and drains', async () => {
    const { process: seen, log } = await bootImage({ database: await createTestDatabase(), command: image.isolation.command(root, ARGS), say: () => undefined });
    if (image.isolation.name === 'root') expect(seen).toMatchObject({ uid: 65_532, rootWritable: false });
    if (image.isolation.name === 'user-namespace') expect(seen.rootWritable).toBe(false);
    // Whatever it tries to write elsewhere shows as a failure.
    expect(log.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    expect(log.filter(({ msg }) => /disk|EROFS|EACCES/i.test(msg) && !msg.startsWith('The state of'))).toEqual([]);
    expect(log.at(-1)).toMatchObject({ code: 'ended' });
  }, 300_000);
});
