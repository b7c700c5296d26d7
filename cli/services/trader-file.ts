import { readFileSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { firstIssue, TradeMindError, TraderDocument, type Interval } from '@trademind/core';
import { compileTrader, LanguageError, type CompiledTrader } from '@trademind/engine';
import { FileError, parseYaml, type ParsedText } from './yaml-text.ts';

/** What a machine screens on when a trader names no interval (KLINE_INTERVAL). */
export const DEFAULT_INTERVAL: Interval = '5m';
/** Characters of a file: far more than any number of traders that a person writes. */
const MAX_LENGTH = 1_000_000;
const STDIN_POLL_MS = 10;

/** A trader that compiles, and what is allowed in it but hardly meant. */
export interface CheckedTrader { document: TraderDocument; compiled: CompiledTrader; warnings: readonly string[] }

/** Reads trader documents from a YAML or JSON file (one, an array, or several parted by `---`); `-` is stdin. Each is checked and compiled before it is sent anywhere. */
export function readTraderFile(file: string, cwd: string): CheckedTrader[] {
  let text: string;
  try {
    text = (file === '-' ? readStdin() : readFileSync(resolve(cwd, file), 'utf8')).replace(/^\uFEFF/, '');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new TradeMindError({ code: missing ? 'not_found' : 'file_unreadable', field: 'file', message: missing ? `There is no file ${file}.` : `${file} cannot be read: ${(error as Error).message}`, cause: error });
  }
  const called = file === '-' ? 'stdin' : file;
  if (text.length > MAX_LENGTH) throw new TradeMindError({ code: 'trader_invalid', field: 'file', message: `${called} has ${text.length} characters, more than ${MAX_LENGTH}.`, nextStep: 'Give the traders in several files.' });
  const traders = parseYaml(text, called).flatMap((parsed) =>
    (Array.isArray(parsed.value) ? parsed.value.map((one: unknown, index) => checkTrader(one, called, parsed, [index])) : [checkTrader(parsed.value, called, parsed, [])]));
  if (traders.length === 0) throw new TradeMindError({ code: 'trader_invalid', field: 'file', message: `${called} holds no trader.`, nextStep: 'A trader has name, side and where; see docs/traders.md.' });
  return traders;
}

/** All of stdin. It may be a pipe that does not block: where nothing has come yet it is asked again. */
function readStdin(): string {
  const chunks: Buffer[] = [];
  const buffer = Buffer.alloc(65_536);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      const size = readSync(0, buffer);
      if (size === 0) return Buffer.concat(chunks).toString('utf8');
      chunks.push(Buffer.from(buffer.subarray(0, size)));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return Buffer.concat(chunks).toString('utf8');
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, STDIN_POLL_MS);
    }
  }
}

/** Checks and compiles one document. Throws `trader_invalid`, or the language's error, each with its line in the file. */
function checkTrader(value: unknown, file: string, text: ParsedText, path: readonly PropertyKey[]): CheckedTrader {
  const result = TraderDocument.safeParse(withoutSchema(value));
  if (!result.success) {
    const issue = firstIssue(result.error);
    const { line, column, frame } = text.place([...path, ...issue.path], issue.unknownKey);
    const field = issue.path.map(String).join('.');
    const where = (issue.unknownKey ? issue.path.slice(0, -1) : issue.path).map(String).join('.');
    throw new FileError({
      code: 'trader_invalid', field: field || 'file', frame,
      message: `${file}, line ${line}, column ${column}: ${where ? `${where}: ` : ''}${isMissing(value, issue.path) ? 'is missing; ' : ''}${issue.detail}`,
      nextStep: issue.path.length === 0 ? 'A trader has name, side and where; see docs/traders.md.' : undefined,
    });
  }
  try {
    const compiled = compileTrader(result.data, DEFAULT_INTERVAL);
    return { document: result.data, compiled, warnings: compiled.warnings };
  } catch (error) {
    if (!(error instanceof LanguageError)) throw error;
    const { line } = text.place([...path, ...(error.field?.split('.') ?? [])]);
    throw new FileError({ code: error.code, field: error.field, message: `${file}, line ${line}: ${error.message}`, frame: error.frame, nextStep: error.nextStep, cause: error });
  }
}

const isMissing = (value: unknown, path: readonly PropertyKey[]): boolean =>
  path.length > 0 && path.reduce<unknown>((inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined), value) === undefined;

/** Editors find the JSON Schema by `$schema`; it is no part of the trader. */
function withoutSchema(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { $schema: _named, ...rest } = value as Record<string, unknown>;
  return rest;
}
