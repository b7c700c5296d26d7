import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { codeOf, sentenceOf, TradeMindError } from '@trademind/core';
import type { Log } from '../../log.ts';
import { makeFolder } from '../../make-folder.ts';
import { every, type Wall } from '../../time.ts';
import type { ExchangeAccess } from '../exchange-access.ts';
import type { StreamTap } from '../stream-connection.ts';
import type { MembershipEntry } from '../../state/membership-book.ts';
import { HEADER, lineOf, type RecordedEvent } from './recording-file.ts';

const compress = promisify(gzip);
/** What is kept back is written after so long, or when it is so large: a crash loses no more. */
const FLUSH_MS = 2_000;
const FLUSH_BYTES = 1024 * 1024;
const MOST_BYTES = 4 * 1024 ** 3;
/** Public market data only: whatever is signed is never written. */
const RECORDED_PATHS = /^\/api\/v3\/(time|exchangeInfo|klines|ticker\/24hr)(\?|$)/;
const KEPT_HEADERS = ['date', 'retry-after', 'x-market-clock-rate', 'x-mbx-used-weight-1m'];

export interface RecorderOptions {
  /** A new file, `.gz`. */
  path: string;
  wall: Wall;
  log: Log;
  /** Recording stops at this size of the file. */
  mostBytes?: number;
}

/**
 * Writes a session as it happens: every frame as received and every public answer, with its time. The file is a row of whole gzip blocks, each
 * on disk before the next is written, so that a crash tears the last one at most; any gunzip reads it. A full disk ends the recording, never the
 * session.
 */
export class SessionRecorder implements StreamTap {
  readonly #options: RecorderOptions;
  readonly #file: FileHandle;
  readonly #endFlushes: () => void;
  readonly #epoch: number;
  #lines: string[] = [];
  #size = 0;
  #written = 0;
  #writing: Promise<void> = Promise.resolve();
  #ended = false;

  private constructor(options: RecorderOptions, file: FileHandle) {
    this.#options = options;
    this.#file = file;
    const { wall } = options;
    // Times between frames must not jump with the computer's clock.
    this.#epoch = wall.epoch() - wall.now();
    this.#endFlushes = every(FLUSH_MS, wall, () => void this.flush());
    this.#push(`${HEADER} ${JSON.stringify({ startedAt: new Date(wall.epoch()).toISOString() })}\n`);
  }

  /** Opens the file. Throws `recording_exists` or `recording_unwritable`. */
  static async open(options: RecorderOptions): Promise<SessionRecorder> {
    try {
      makeFolder(dirname(options.path));
      return new SessionRecorder(options, await open(options.path, 'ax', 0o600));
    } catch (cause) {
      const exists = codeOf(cause) === 'EEXIST';
      throw new TradeMindError({
        code: exists ? 'recording_exists' : 'recording_unwritable', message: `${options.path} ${exists ? 'is there already' : `cannot be written (${codeOf(cause)})`}.`,
        nextStep: 'Name a new file in a folder that this process may write to.', cause,
      });
    }
  }

  /** The same exchange, with everything that it says recorded. */
  record(exchange: ExchangeAccess): ExchangeAccess {
    return { ...exchange, fetch: this.#fetchOf(exchange.fetch ?? fetch), tap: this };
  }

  opened(connection: number): void {
    this.#add({ at: this.#now(), kind: 'opened', connection });
  }

  frame(connection: number, bytes: Buffer): void {
    this.#add({ at: this.#now(), kind: 'frame', connection, bytes });
  }

  closed(connection: number): void {
    this.#add({ at: this.#now(), kind: 'closed', connection });
  }

  /** Who is in a trader's universe, or was missing: what the frames do not say. */
  membership(entry: MembershipEntry): void {
    this.#add({ at: this.#now(), kind: 'membership', entry });
  }

  /** Brings all that is kept back to disk. */
  flush(): Promise<void> {
    const lines = this.#lines;
    if (lines.length === 0) return this.#writing;
    this.#lines = [];
    this.#size = 0;
    this.#writing = this.#writing.then(() => this.#write(lines));
    return this.#writing;
  }

  /** Writes the rest and closes the file. */
  async close(): Promise<void> {
    this.#endFlushes();
    await this.flush();
    if (this.#ended) return;
    this.#ended = true;
    await this.#file.close();
  }

  #now(): number {
    return this.#epoch + this.#options.wall.now();
  }

  #add(event: RecordedEvent): void {
    if (!this.#ended) this.#push(lineOf(event));
  }

  #push(line: string): void {
    this.#lines.push(line);
    this.#size += line.length;
    if (this.#size >= FLUSH_BYTES) void this.flush();
  }

  async #write(lines: readonly string[]): Promise<void> {
    const { path, mostBytes = MOST_BYTES } = this.#options;
    if (this.#ended) return;
    try {
      const block = await compress(lines.join(''));
      // One write may take less than it is given.
      for (let done = 0; done < block.length;) done += (await this.#file.write(block, done)).bytesWritten;
      await this.#file.datasync();
      this.#written += block.length;
      if (this.#written >= mostBytes) await this.#giveUp(`${path} has reached ${Math.round(mostBytes / 1024 ** 2)} MB.`);
    } catch (error) {
      await this.#giveUp(`${path} cannot be written: ${sentenceOf(error)}`);
    }
  }

  async #giveUp(why: string): Promise<void> {
    this.#ended = true;
    this.#endFlushes();
    this.#options.log('warn', 'recording_ended', `The recording ends and the session goes on without it: ${why}`);
    await this.#file.close().catch(() => undefined);
  }

  #fetchOf(inner: typeof fetch): typeof fetch {
    return async (input, init) => {
      const sentAt = this.#now();
      const response = await inner(input, init);
      const url = new URL(input instanceof Request ? input.url : input);
      const path = url.pathname + url.search;
      if (!RECORDED_PATHS.test(path)) return response;
      const body = await response.text();
      const headers = Object.fromEntries(KEPT_HEADERS.flatMap((name) => { const value = response.headers.get(name); return value === null ? [] : [[name, value]]; }));
      this.#add({ at: this.#now(), kind: 'answer', answer: { path, status: response.status, headers, body, sentAt } });
      return new Response(body, { status: response.status, headers });
    };
  }
}
