import { posix } from 'node:path';
import ts from 'typescript';

/** The rooms of the house and which others each may import. There are no other arrows. */
export const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'packages/core': [],
  'packages/engine': ['packages/core'],
  'packages/runtime': ['packages/core', 'packages/engine'],
  'packages/fly': ['packages/core'],
  'packages/feed-client': ['packages/core'],
  'machine-image': ['packages/core', 'packages/engine', 'packages/runtime'],
  'control-plane': ['packages/core', 'packages/fly'],
  cli: ['packages/core', 'packages/engine', 'packages/runtime', 'packages/fly', 'packages/feed-client'],
  web: ['packages/core', 'packages/feed-client'],
  infra: ['packages/core', 'packages/fly'],
  'local-cloud': [],
};
/** Tests and benchmarks measure the whole house, so they may import any room. */
const FREE = ['tests', 'bench'];

/** `onlyIn`: rooms, or single files. */
interface LibraryRule { library: string; onlyIn: readonly string[]; why: string }

/** Libraries that belong to some rooms, or to one file, alone. */
const LIBRARIES: readonly LibraryRule[] = [
  { library: 'pg', onlyIn: ['local-cloud'], why: 'everything else goes through PostgREST' },
  { library: 'fastify', onlyIn: ['control-plane'], why: 'the machine is lean: node:http' },
  { library: 'undici', onlyIn: ['control-plane', 'packages/fly'], why: "the machine uses Node's own fetch" },
  { library: '@supabase/supabase-js', onlyIn: ['control-plane', 'cli', 'web'], why: 'the machine is lean: it speaks PostgREST itself' },
  { library: '@google/generative-ai', onlyIn: ['packages/runtime/analysis/gemini-client.ts'], why: 'one file speaks to Gemini' },
  { library: 'react', onlyIn: ['web', 'cli'], why: 'screens only' },
  { library: '@pulumi/pulumi', onlyIn: ['infra'], why: 'operators only' },
];
const CORE_MAY_IMPORT = new Set(['zod']);

export interface SourceFile { path: string; text: string }

function roomOf(path: string): string | undefined {
  return [...Object.keys(ARROWS), ...FREE].find((room) => path.startsWith(`${room}/`));
}

function libraryOf(specifier: string): string {
  return specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}

/** Every import that breaks a rule, as a sentence that names the file and the arrow. Paths are relative to the root, with slashes. */
export function violations(files: readonly SourceFile[]): string[] {
  const found: string[] = [];
  for (const { path, text } of files) {
    const room = roomOf(path);
    if (room === undefined || FREE.includes(room)) continue;
    const isTest = /\.test\.tsx?$/.test(path);
    const allowed = new Set([room, ...(ARROWS[room] ?? [])]);
    for (const { fileName: specifier } of ts.preProcessFile(text, true, true).importedFiles) {
      const target = specifier.startsWith('.')
        ? roomOf(posix.normalize(posix.join(posix.dirname(path), specifier)))
        : Object.keys(ARROWS).find((other) => libraryOf(specifier) === `@trademind/${other.replace('packages/', '')}`);
      if (target !== undefined) {
        if (isTest && specifier.includes('tests/support/')) continue;
        if (!allowed.has(target)) found.push(`${path} imports ${specifier}: ${room} may not import ${target}`);
        continue;
      }
      if (specifier.startsWith('.') || isTest) continue;
      const library = libraryOf(specifier);
      const rule = LIBRARIES.find((candidate) => candidate.library === library);
      if (rule && !rule.onlyIn.includes(room) && !rule.onlyIn.includes(path)) found.push(`${path} imports ${library}: ${rule.why}`);
      if (room === 'packages/core' && !CORE_MAY_IMPORT.has(library)) found.push(`${path} imports ${library}: core imports zod only`);
      if (room === 'packages/engine' && specifier.startsWith('node:')) found.push(`${path} imports ${specifier}: the engine is pure; everything outside it is a port`);
    }
  }
  return found;
}

/** Where wall time, randomness and the environment are read although they should be arguments. One `env.ts` per deployable reads process.env. */
export function ambientReads(files: readonly SourceFile[]): string[] {
  const pure = new Set(['packages/core', 'packages/engine']);
  const found: string[] = [];
  for (const { path, text } of files) {
    const room = roomOf(path);
    if (room === undefined || FREE.includes(room) || /\.test\.tsx?$/.test(path)) continue;
    if (pure.has(room) && /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.|\bperformance\.now\(/.test(text)) {
      found.push(`${path} reads the clock, chance or the process: in ${room} these are arguments`);
    }
    if (room.startsWith('packages/') && /\bprocess\.env\b/.test(text)) found.push(`${path} reads process.env: only a deployable's env.ts may`);
  }
  return found;
}

/** Rooms whose functions others build on. */
const DOCUMENTED = /^packages\/(core|runtime|feed-client)\//;
const EXPORTED_FUNCTION = /^export (?:(?:async )?function\*? (\w+)|const (\w+)(?::[^=]*)? = (?:async )?(?:<[^>]*>+)?\(.*=>)/;

/** Functions of those rooms that are exported without a word of what they do. */
export function undocumented(files: readonly SourceFile[]): string[] {
  return files.filter(({ path }) => DOCUMENTED.test(path) && !/\.test\.tsx?$|\.d\.ts$|\/testing\//.test(path)).flatMap(({ path, text }) => {
    const lines = text.split('\n');
    return lines.flatMap((line, index) => {
      const [, name = '', constant = name] = EXPORTED_FUNCTION.exec(line) ?? [];
      return constant === '' || lines[index - 1]?.trimEnd().endsWith('*/') === true ? [] : [`${path}: ${constant} has no docstring`];
    });
  });
}
