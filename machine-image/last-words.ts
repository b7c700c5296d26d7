import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, CRASH_KINDS, CrashReport, HEALTH_MEASURES, redact, sentenceOf, type CrashKind, type LogEntry } from '@trademind/core';
import { makeFolder } from '@trademind/runtime';
import * as z from 'zod/mini';

const WORDS_FILE = 'last-words.json';
const ALIVE_FILE = 'alive.json';
/** Crashes kept, and lines of the log kept with each. */
const KEPT = 10;
const LINES = 15;
const LINE_LENGTH = 300;
const BEAT_MS = 5_000;
/** Codes and words of errors that mean that memory was wanting. */
const NO_MEMORY = /ERR_WORKER_OUT_OF_MEMORY|ENOMEM|allocation failed|out of memory/i;

/** `told`: a process after it has said so in its log. */
const Kept = z.array(z.extend(CrashReport, { stack: z.optional(z.string()), told: z.optional(z.boolean()) }));
type KeptCrash = z.infer<typeof Kept>[number];
const Alive = z.omit(CrashReport, { kind: true, code: true, message: true, nextStep: true });

export interface LastWordsOptions {
  dataDir: string;
  version: string;
  /** Never to be seen in a report. */
  secrets: Iterable<string>;
  now: () => Date;
  uptimeS: () => number;
  memory: () => CrashReport['memory'];
}

/**
 * What a process leaves behind in the data folder, so that the next one can say how it ended: its last words when it knows its end, and a sign
 * of life every few seconds for when it does not (kill -9, no memory, a lost host). Never throws: it is called when all may be lost already.
 */
export class LastWords {
  /** How the processes before this one ended against their will, the newest last. */
  readonly before: readonly CrashReport[];
  /** Those among them of which nobody has told yet. */
  readonly news: readonly CrashReport[];
  readonly #options: LastWordsOptions;
  readonly #log: LogEntry[] = [];
  readonly #timer: NodeJS.Timeout;
  #crashes: KeptCrash[];
  #over = false;

  constructor(options: LastWordsOptions) {
    this.#options = options;
    this.#crashes = read(join(options.dataDir, WORDS_FILE), Kept) ?? [];
    const silent = this.#endedSilently();
    if (silent) this.#add(silent);
    this.before = this.#crashes.map(reportOf);
    this.news = this.#crashes.filter(({ told }) => told !== true).map(reportOf);
    if (this.news.length > 0) this.#keep(this.#crashes.map((crash) => ({ ...crash, told: true })));
    this.#beat();
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    this.#timer.unref();
  }

  /** A line of the log: the last ones belong to the report. */
  heard(entry: LogEntry): void {
    this.#log.push({ ...entry, message: this.#plain(entry.message).slice(0, LINE_LENGTH) });
    if (this.#log.length > LINES) this.#log.shift();
  }

  /** The process ends for this error. The first words count: what fails while it ends is not the reason. */
  crashed(error: unknown): void {
    const outOfMemory = NO_MEMORY.test(`${codeOf(error)} ${String(error)}`);
    this.#end(outOfMemory ? 'out-of-memory' : 'crashed', codeOf(error), sentenceOf(error), error instanceof Error ? error.stack : undefined);
  }

  /** It was told to end and is still not done. */
  drainTimedOut(): void {
    this.#end('drain-timeout', 'drain_timeout', CRASH_KINDS['drain-timeout']);
  }

  /** It ends as it should: nothing is to be told. Otherwise an exit with this code would be taken for one that nobody explained. */
  ended(): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    this.#forgetLife();
  }

  /** Called as the very last: an end that nobody has explained. */
  exited(code: number): void {
    this.#end('crashed', `exit_${code}`, `The process ended with exit code ${code} without saying why.`);
  }

  #end(kind: CrashKind, code: string, message: string, stack?: string): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    this.#add({ ...this.#life(), kind, code, message: this.#plain(message), ...adviceFor(kind), ...(stack !== undefined && { stack: this.#plain(stack) }) });
    this.#forgetLife();
  }

  #add(crash: KeptCrash): void {
    this.#keep([...this.#crashes, crash].slice(-KEPT));
  }

  #keep(crashes: KeptCrash[]): void {
    this.#crashes = crashes;
    write(this.#options.dataDir, WORDS_FILE, crashes);
  }

  #beat(): void {
    if (!this.#over) write(this.#options.dataDir, ALIVE_FILE, this.#life());
  }

  #life(): z.infer<typeof Alive> {
    const { now, uptimeS, memory, version } = this.#options;
    return { at: now().toISOString(), version, uptimeS: Math.round(uptimeS()), memory: memory(), log: this.#log };
  }

  /** A sign of life without last words: the process before this one did not know that it would end. */
  #endedSilently(): CrashReport | undefined {
    const alive = read(join(this.#options.dataDir, ALIVE_FILE), Alive);
    if (!alive) return undefined;
    const { rssMb, limitMb, heapMb, heapLimitMb } = alive.memory;
    const kind = rssMb >= limitMb * HEALTH_MEASURES.memoryUsed.degraded! || heapMb >= heapLimitMb * HEALTH_MEASURES.heapUsed.degraded! ? 'out-of-memory' : 'killed';
    return { ...alive, kind, code: kind === 'killed' ? 'ended_silently' : 'memory_exhausted', message: `${CRASH_KINDS[kind]} It was last seen with ${Math.round(rssMb)} of ${Math.round(limitMb)} MB in use.`, ...adviceFor(kind) };
  }

  #forgetLife(): void {
    try {
      rmSync(join(this.#options.dataDir, ALIVE_FILE), { force: true });
    } catch {
      // A disk that cannot be written: the next process says that this one ended without a word.
    }
  }

  #plain(text: string): string {
    return redact(text, this.#options.secrets);
  }
}

/** What others are told: the stack is for whoever reads the file. */
const reportOf = (crash: KeptCrash): CrashReport => CrashReport.parse(crash);

function adviceFor(kind: CrashKind): { nextStep?: string } {
  return kind === 'out-of-memory' ? { nextStep: 'Take a machine with more memory, or fewer traders and markets.' } : {};
}

function write(dataDir: string, file: string, value: unknown): void {
  try {
    makeFolder(dataDir, 0o700);
    writeFileSync(join(dataDir, `${file}.new`), JSON.stringify(value), { mode: 0o600 });
    renameSync(join(dataDir, `${file}.new`), join(dataDir, file));
  } catch {
    // A full or read-only disk: stdout has the same words.
  }
}

/** What an older version or a torn write left is not worth a crash of its own. */
function read<T extends z.ZodMiniType>(path: string, shape: T): z.output<T> | undefined {
  try {
    const parsed = shape.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
