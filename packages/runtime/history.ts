import { randomUUID } from 'node:crypto';
import { codeOf, cutText, type CrashReport } from '@trademind/core';
import { v5 as uuidV5 } from 'uuid';
import type { CommandAudit } from './feed/commands.ts';
import type { Log } from './log.ts';
import type { FactRows } from './state/facts.ts';
import type { Outbox } from './state/outbox.ts';
import type { Wall } from './time.ts';

/** Namespace of the ids of crashes. Never change it: a crash that is told again would be another one. */
const CRASH_NAMESPACE = '5c0e6a3e-3f7b-4a43-9d3c-6f2a1b7a90d4';
const MESSAGE_LENGTH = 2_000;
/** Commands kept in an hour; what a client gives beyond them stands in the log alone, and the next one kept says how many. */
const COMMANDS_PER_HOUR = 600;
const HOUR_MS = 3_600_000;

export interface HistoryOptions { outbox: Pick<Outbox, 'add'>; wall: Pick<Wall, 'epoch' | 'now'>; log: Log }

/** What happens to a machine, as its user sees it in the machine's events: commands, whether it acts, how it ended against its will. Never throws: a full disk must not stop what is being told. */
export class History {
  readonly #options: HistoryOptions;
  #hour = { from: -Infinity, commands: 0 };
  #left = 0;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** Somebody told the machine to do something. */
  command({ at, command, sessionId, outcome, code }: CommandAudit): void {
    const now = this.#options.wall.now();
    if (now - this.#hour.from >= HOUR_MS) this.#hour = { from: now, commands: 0 };
    this.#hour.commands += 1;
    if (this.#hour.commands > COMMANDS_PER_HOUR) {
      this.#left += 1;
      return;
    }
    const left = this.#left;
    this.#left = 0;
    const more = left > 0 ? ` ${left} commands before it are not kept: they came too fast.` : '';
    this.#add(randomUUID(), { at, kind: 'command', message: `A client asked for "${command}": ${outcome}${code === undefined ? '' : ` (${code})`}.${more}`, data: { command, sessionId, outcome, ...(code !== undefined && { code }), ...(left > 0 && { left }) } });
  }

  /** Whether this machine acts for its user has changed. */
  owner(acts: boolean, why?: string): void {
    this.#add(randomUUID(), { at: this.#options.wall.epoch(), kind: 'owner', message: acts ? 'This machine acts for its user.' : (why ?? 'Another machine of this user acts: this one waits.'), data: { acts } });
  }

  /** How processes before this one ended against their will; one that was told before is the same event. */
  crashes(reports: readonly CrashReport[]): void {
    for (const { at, kind, code, message, nextStep, version, uptimeS, memory } of reports) {
      this.#add(uuidV5(`${at} ${kind}`, CRASH_NAMESPACE), { at: Date.parse(at), kind: 'crash', message: [message, nextStep].filter(Boolean).join(' '), data: { kind, code, version, uptimeS, memory } });
    }
  }

  #add(id: string, { at, message, ...row }: Omit<FactRows['event'], 'at'> & { at: number }): void {
    try {
      this.#options.outbox.add('event', id, { ...row, at: new Date(at).toISOString(), message: cutText(message, MESSAGE_LENGTH) });
    } catch (error) {
      this.#options.log('warn', 'event_not_kept', `This could not be kept for the machine's history (${codeOf(error)}): ${message}`);
    }
  }
}
