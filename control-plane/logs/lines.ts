import { redact, type LogEntry, type LogLine } from '@trademind/core';
import type { FlyLogLine } from '@trademind/fly';
import type { Failure } from '../database/rows.ts';

/** Longer lines are cut: a log is read by people. */
const LINE_LENGTH = 2_000;

/** What a process writes as a line of JSON, as far as its user cares: the level, code and words of it. */
interface Read { at: string | null; level: LogLine['level']; code: string | null; message: string }

/** The machine's own words. */
export const linesOfMachine = (entries: readonly LogEntry[]): LogLine[] =>
  entries.map(({ at, level, code, message }) => ({ at: new Date(at).toISOString(), level, code, message: clean(message), source: 'machine' }));

/** What a machine wrote, as Fly kept it. A line without a time has that of the line before. */
export function linesOfFly(lines: readonly FlyLogLine[]): LogLine[] {
  let last = new Date(0).toISOString();
  return lines.map(({ at, message }) => {
    const time = Date.parse(at);
    if (!Number.isNaN(time)) last = new Date(time).toISOString();
    const { level, code, message: words } = read(message);
    return { at: last, level, code, message: words, source: 'fly' };
  });
}

/** What was kept of a version that failed; of its lines only some say when. */
export const linesOfFailure = (failure: Pick<Failure, 'at' | 'logs'>): LogLine[] => failure.logs.map((text) => {
  const { at, level, code, message } = read(text);
  return { at: at ?? new Date(failure.at).toISOString(), level, code, message, source: 'failure' };
});

const LEVELS: Readonly<Record<string, LogLine['level']>> = { trace: 'info', debug: 'info', info: 'info', warn: 'warn', error: 'error', fatal: 'error' };

function read(text: string): Read {
  const plain = { at: null, level: null, code: null, message: clean(text) };
  if (!text.startsWith('{')) return plain;
  try {
    const { level, time, code, msg } = JSON.parse(text) as Record<string, unknown>;
    if (typeof msg !== 'string') return plain;
    const at = typeof time === 'string' ? Date.parse(time) : Number.NaN;
    return { at: Number.isNaN(at) ? null : new Date(at).toISOString(), level: LEVELS[String(level)] ?? null, code: typeof code === 'string' ? code.slice(0, 100) : null, message: clean(msg) };
  } catch {
    return plain;
  }
}

const clean = (text: string): string => redact(text).slice(0, LINE_LENGTH);

/** An instant, or (`~n`) the n-th line of that instant: where a reader has come to. */
const LOG_CURSOR = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))(?:~(\d{1,6}))?$/;

/** Also the instant has to be one that a calendar has. */
export const isLogCursor = (text: string): boolean => !Number.isNaN(Date.parse(LOG_CURSOR.exec(text)?.[1] ?? ''));

/**
 * The lines to show: without `after` the last `limit`; with it the first `limit` after that instant or place, so that whoever follows `next` misses none. Pure.
 * `next` names the last line, or stays where it was when nothing is new.
 */
export function windowOf(lines: readonly LogLine[], { after, limit }: { after?: string | undefined; limit: number }): { items: LogLine[]; next: string | null } {
  // one instant may have several lines: they are told apart by how many came before
  const seen = new Map<string, number>();
  const placed = lines.map((line) => {
    const place = (seen.get(line.at) ?? 0) + 1;
    seen.set(line.at, place);
    return { line, ms: Date.parse(line.at), place };
  });
  const [, instant, place] = LOG_CURSOR.exec(after ?? '') ?? [];
  const from = instant === undefined ? null : { ms: Date.parse(instant), place: place === undefined ? Infinity : Number(place) };
  const shown = from === null ? placed.slice(-limit) : placed.filter((one) => one.ms > from.ms || (one.ms === from.ms && one.place > from.place)).slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(({ line }) => line), next: last === undefined ? after ?? null : `${last.line.at}~${last.place}` };
}
