import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import type { BundleContents } from './bundle.ts';
import type { RootFs } from './root-fs.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Manifest { name: string; version: string; license?: string; description?: string }
const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as Manifest;

/** Folders of the npm packages of which something is in the bundle, from esbuild's own account. */
export function packagesIn({ outputs }: BundleContents): string[] {
  const used = Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs)).filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
  return [...new Set(used.map((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter((folder) => folder !== undefined))].toSorted();
}

/** What the image is made of, as CycloneDX 1.6 in JSON: the packages in the bundle, Node, and the system's libraries with their Debian packages where dpkg knows them. The same for the same contents. */
export function sbomOf({ root, contents, libraries }: Pick<RootFs, 'root' | 'contents' | 'libraries'>): string {
  const machine = manifestOf('machine-image');
  const bom = new Models.Bom();
  bom.metadata.component = component(Enums.ComponentType.Application, { ...machine, purl: `pkg:npm/${encodeURIComponent(machine.name)}@${machine.version}` });
  for (const folder of packagesIn(contents)) {
    const manifest = manifestOf(folder);
    bom.components.add(component(Enums.ComponentType.Library, { ...manifest, purl: `pkg:npm/${manifest.name.replace('@', '%40')}@${manifest.version}` }));
  }
  bom.components.add(component(Enums.ComponentType.Platform, { name: 'node', version: process.versions.node, license: 'MIT', purl: `pkg:generic/node@${process.versions.node}`, file: join(root, 'usr/local/bin/node') }));
  for (const { path, file } of libraries) {
    bom.components.add(component(Enums.ComponentType.Library, { name: path, file: join(root, path), ...debianPackageOf(path, file) }));
  }
  return new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6)).serialize(bom, { sortLists: true, space: 1 });
}

interface Facts { name: string; version?: string; license?: string; description?: string; purl?: string; file?: string }

function component(type: Enums.ComponentType, { name, version, license, description, purl, file }: Facts): Models.Component {
  const made = new Models.Component(type, name, { ...(version !== undefined && { version }), ...(description !== undefined && { description }), ...(purl !== undefined && { purl, bomRef: purl }) });
  if (license !== undefined) made.licenses.add(/^[\w.+-]+$/.test(license) ? new Models.SpdxLicense(license) : new Models.LicenseExpression(license));
  if (file !== undefined) made.hashes.set(Enums.HashAlgorithm['SHA-256'], createHash('sha256').update(readFileSync(file)).digest('hex'));
  return made;
}

/** The Debian package that a file came from; nothing where there is no dpkg, or another distribution. */
function debianPackageOf(...paths: readonly string[]): { version?: string; purl?: string } {
  if (!existsSync('/var/lib/dpkg/status')) return {};
  for (const path of paths.flatMap((one) => [one, `/usr${one}`, one.replace(/^\/usr/, '')])) {
    const owner = /^(?<name>[^:,\s]+)/.exec(spawnSync('dpkg-query', ['-S', path], { encoding: 'utf8' }).stdout)?.groups?.['name'];
    if (owner === undefined) continue;
    const [version = ''] = spawnSync('dpkg-query', ['-W', '-f', '${Version}\n', owner], { encoding: 'utf8' }).stdout.split('\n');
    return { version, purl: `pkg:deb/debian/${owner}@${encodeURIComponent(version)}` };
  }
  return {};
}
