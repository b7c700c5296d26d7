import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { TradeMindError } from '@trademind/core';
import type { MembershipEntry } from '../../state/membership-book.ts';

/** An answer of the REST API: what was asked, and what came when. */
export interface RecordedAnswer { path: string; status: number; headers: Record<string, string>; body: string; sentAt: number }

/** What happened in a session; `at` in ms since 1970, with fractions. */
export type RecordedEvent = { at: number } & (
  | { kind: 'frame'; connection: number; bytes: Buffer }
  | { kind: 'opened' | 'closed'; connection: number }
  | { kind: 'answer'; answer: RecordedAnswer }
  | { kind: 'membership'; entry: MembershipEntry });

/** First line of our own recordings; what follows it is JSON. */
export const HEADER = '# trademind recording 1';
/** A frame that does not fit into one line of text is written in base64. */
const TEXT = 'f';
const BINARY = 'b';

/** An event as one line: time in ns, a letter with the connection's number, what came. */
export function lineOf(event: RecordedEvent): string {
  const at = nsOf(event.at);
  switch (event.kind) {
    case 'opened': return `${at} o${event.connection}\n`;
    case 'closed': return `${at} c${event.connection}\n`;
    case 'answer': return `${at} r ${JSON.stringify(event.answer)}\n`;
    case 'membership': return `${at} m ${JSON.stringify(event.entry)}\n`;
    case 'frame': {
      const text = event.bytes.toString('utf8');
      return /[\n\r\uFFFD]/.test(text) ? `${at} ${BINARY}${event.connection} ${event.bytes.toString('base64')}\n` : `${at} ${TEXT}${event.connection} ${text}\n`;
    }
  }
}

const OWN = /^(\d{13})(\d{6}) ([fbocrm])(\d*) ?(.*)$/s;
/** hftbacktest: receive time in ns, a space, the frame. */
const NANOSECONDS = /^(\d{13})(\d{6}) ([[{].*)$/s;
/** cryptofeed: receive time in seconds, a colon, the frame; the first line is the URL. */
const SECONDS = /^(\d{10}\.\d+): ([[{].*)$/s;

/** Reads a line of any known format; undefined for one that holds no event. */
export function eventOf(line: string): RecordedEvent | undefined {
  const own = OWN.exec(line);
  if (own) {
    const [, ms, ns, letter, number, rest = ''] = own;
    const at = Number(ms) + Number(ns) / 1e6;
    const connection = Number(number);
    switch (letter) {
      case TEXT: return { at, kind: 'frame', connection, bytes: Buffer.from(rest) };
      case BINARY: return { at, kind: 'frame', connection, bytes: Buffer.from(rest, 'base64') };
      case 'o': return { at, kind: 'opened', connection };
      case 'c': return { at, kind: 'closed', connection };
      case 'm': return { at, kind: 'membership', entry: JSON.parse(rest) as MembershipEntry };
      default: return { at, kind: 'answer', answer: JSON.parse(rest) as RecordedAnswer };
    }
  }
  const nanoseconds = NANOSECONDS.exec(line);
  if (nanoseconds) return { at: Number(nanoseconds[1]) + Number(nanoseconds[2]) / 1e6, kind: 'frame', connection: 1, bytes: Buffer.from(nanoseconds[3]!) };
  const seconds = SECONDS.exec(line);
  return seconds ? { at: Number(seconds[1]) * 1_000, kind: 'frame', connection: 1, bytes: Buffer.from(seconds[2]!) } : undefined;
}

/**
 * All events of a recording, ours or one of the known foreign formats, gzipped or plain. A session that was killed while it recorded ends in
 * a torn block: what came before it is read, and `onTorn` is told. Throws `recording_unreadable` where no event can be read at all.
 */
export async function* readRecording(path: string, onTorn: (cause: Error) => void = () => undefined): AsyncGenerator<RecordedEvent> {
  let events = 0;
  let rest = '';
  try {
    const bytes = createReadStream(path);
    const source = path.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes;
    bytes.on('error', (error) => source.destroy(error));
    const decoder = new TextDecoder();
    for await (const chunk of source) {
      const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = eventOf(line);
        if (!event) continue;
        events += 1;
        yield event;
      }
    }
    const last = rest === '' ? undefined : eventOf(rest);
    if (last) {
      events += 1;
      yield last;
    }
  } catch (cause) {
    const code = (cause as { code?: string }).code ?? '';
    if (events === 0 || !code.startsWith('Z_')) throw unreadable(path, cause);
    onTorn(cause as Error);
  }
  if (events === 0) throw unreadable(path, undefined);
}

function unreadable(path: string, cause: unknown): TradeMindError {
  return new TradeMindError({
    code: 'recording_unreadable', message: `${path} cannot be read as a recording${cause instanceof Error ? ` (${cause.message})` : ': it holds no event'}.`,
    nextStep: 'Give a file that this program recorded, or lines of "<receive time> <frame>".', cause,
  });
}

function nsOf(ms: number): string {
  const whole = Math.floor(ms);
  return `${whole}${String(Math.min(999_999, Math.round((ms - whole) * 1e6))).padStart(6, '0')}`;
}
