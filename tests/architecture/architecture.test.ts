import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ambientReads, ARROWS, undocumented, violations, type SourceFile } from './rules.ts';

const root = join(import.meta.dirname, '../..');
const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', '*.ts', '*.tsx'], { cwd: root, encoding: 'utf8' });
const files: SourceFile[] = listed.trim().split('\n').filter((path) => existsSync(join(root, path)))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

test('no room imports another against the arrows of the architecture', () => {
  expect(violations(files)).toEqual([]);
});

test('core and engine take time and chance as arguments, and no package reads the environment', () => {
  expect(ambientReads(files)).toEqual([]);
});

test('every function that core, runtime and feed-client export says what it does', () => {
  expect(undocumented(files)).toEqual([]);
  const found = (text: string) => undocumented([{ path: 'packages/core/x.ts', text }]);
  expect(['export function a(): void {}', 'export const b = <T>(x: T) => x;', 'export const c = (): number => 1;'].flatMap(found)).toEqual(['a', 'b', 'c'].map((name) => `packages/core/x.ts: ${name} has no docstring`));
  expect(found('/** It does. */\nexport function a(): void {}\nexport const b = 1;')).toEqual([]);
});

test('every room has a README', () => {
  const rooms = [...Object.keys(ARROWS), 'supabase', 'tests', 'bench'];
  expect(rooms.filter((room) => !existsSync(join(root, room, 'README.md')))).toEqual([]);
});

test('an allowed import is not complained of', () => {
  expect(violations([{ path: 'packages/runtime/x.ts', text: "import { Screener } from '@trademind/engine';" }])).toEqual([]);
});

test.each([
  ['packages/core/x.ts', "import { Screener } from '@trademind/engine';", 'packages/core may not import packages/engine'],
  ['packages/engine/x.ts', "import { readFileSync } from 'node:fs';", 'the engine is pure'],
  ['packages/runtime/x.ts', "export * from '../../control-plane/env.ts';", 'packages/runtime may not import control-plane'],
  ['machine-image/x.ts', "const fastify = await import('fastify');", 'the machine is lean'],
  ['cli/x.ts', "import { startFly } from '../local-cloud/fly/start.ts';", 'cli may not import local-cloud'],
  ['web/x.tsx', "import type { Screener } from '@trademind/engine';", 'web may not import packages/engine'],
  ['packages/engine/x.ts', "export { createFlyClient } from '@trademind/fly';", 'packages/engine may not import packages/fly'],
  ['packages/runtime/x.ts', "const { GoogleGenerativeAI } = await import('@google/generative-ai');", 'one file speaks to Gemini'],
  ['control-plane/x.ts', "import pg from 'pg';", 'everything else goes through PostgREST'],
])('a forbidden import in %s is found', (path, text, message) => {
  expect(violations([{ path, text }]).join('\n')).toContain(message);
});
