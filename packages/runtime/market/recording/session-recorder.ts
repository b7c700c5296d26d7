import { open, statfs, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { codeOf, sentenceOf, TradeMindError } from '@trademind/core';
import { httpFetch, type HttpFetch } from '../../http-fetch.ts';
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
/** A recording ends before it takes the last of a disk: what a machine must keep (its state, what waits to be sent) goes before. */
const LEAST_FREE_BYTES = 64 * 1024 ** 2;
/** So much may wait for a slow disk (the exchange's list of symbols alone has some 20 MB); then the recording ends, for memory is the session's. */
const MOST_WAITING = 64 * 1024 ** 2;
/** Public market data only: whatever is signed is never written. */
const RECORDED_PATHS = /^\/api\/v3\/(time|exchangeInfo|klines|ticker\/24hr)(\?|$)/;
const KEPT_HEADERS = ['date', 'retry-after', 'x-market-clock-rate', 'x-mbx-used-weight-1m'];

export interface RecorderOptions {
  /** A new file, `.gz`. */
  path: string;
  wall: Wall;
  log: Log;
  /** The file grows no larger: the recording ends before. */
  mostBytes?: number;
  /** Free bytes of the disk that holds a folder; the system's own answer unless given. */
  freeBytes?: (folder: string) => Promise<number>;
}

/**
 * Writes a session as it happens: every frame as received and every public answer, with its time. The file is a row of whole gzip blocks, each
 * on disk before the next is written, so that a crash tears the last one at most; any gunzip reads it. A disk that is full or slow ends the recording, never
 * the session.
 */
export class SessionRecorder implements StreamTap {
  readonly #options: RecorderOptions;
  readonly #file: FileHandle;
  readonly #endFlushes: () => void;
  readonly #epoch: number;
  #lines: string[] = [];
  #size = 0;
  #written = 0;
  #waiting = 0;
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
    return { ...exchange, fetch: this.#fetchOf(exchange.fetch ?? httpFetch), tap: this };
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
    const size = this.#size;
    this.#lines = [];
    this.#size = 0;
    this.#waiting += size;
    this.#writing = this.#writing.then(() => this.#write(lines)).finally(() => { this.#waiting -= size; });
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
    if (this.#size < FLUSH_BYTES) return;
    void this.flush();
    if (this.#waiting > MOST_WAITING) void this.#giveUp(`The disk takes it too slowly: ${Math.round(this.#waiting / 1024 ** 2)} MB wait for it.`);
  }

  async #write(lines: readonly string[]): Promise<void> {
    const { path, mostBytes = MOST_BYTES, freeBytes = freeBytesOf } = this.#options;
    if (this.#ended) return;
    try {
      const block = await compress(lines.join(''));
      if (this.#written + block.length > mostBytes) return await this.#giveUp(`${path} may have ${inMb(mostBytes)} at most.`);
      const free = await freeBytes(dirname(path));
      if (free - block.length < LEAST_FREE_BYTES) return await this.#giveUp(`The disk of ${path} has only ${inMb(free)} free.`);
      // One write may take less than it is given.
      for (let done = 0; done < block.length;) done += (await this.#file.write(block, done)).bytesWritten;
      await this.#file.datasync();
      this.#written += block.length;
    } catch (error) {
      await this.#giveUp(`${path} cannot be written: ${sentenceOf(error)}`);
    }
  }

  async #giveUp(why: string): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#lines = [];
    this.#endFlushes();
    this.#options.log('warn', 'recording_ended', `The recording ends and the session goes on without it: ${why}`);
    await this.#file.close().catch(() => undefined);
  }

  #fetchOf(inner: HttpFetch): HttpFetch {
    return async (address, init) => {
      const sentAt = this.#now();
      const answer = await inner(address, init);
      const url = new URL(address);
      const path = url.pathname + url.search;
      if (!RECORDED_PATHS.test(path)) return answer;
      const body = await answer.text();
      const headers = Object.fromEntries(KEPT_HEADERS.flatMap((name) => { const value = answer.headers.get(name); return value === null ? [] : [[name, value]]; }));
      this.#add({ at: this.#now(), kind: 'answer', answer: { path, status: answer.status, headers, body, sentAt } });
      return { ok: answer.ok, status: answer.status, headers: answer.headers, text: () => Promise.resolve(body) };
    };
  }
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

const inMb = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MB`;
