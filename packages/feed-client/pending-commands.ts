import { TradeMindError, type FeedFrame } from '@trademind/core';

type Answer = Extract<FeedFrame, { type: 'reply' | 'error' }>;

/** Commands that wait for their answer, each known by a number of its own. */
export class PendingCommands {
  readonly #waiting = new Map<string, { resolve(result: unknown): void; reject(error: TradeMindError): void; timer: ReturnType<typeof setTimeout> }>();
  #count = 0;

  /** Sends a command with an id; resolves with the machine's answer. Rejects with its error, or `outcome_unknown` after `timeoutMs`. */
  add(timeoutMs: number, send: (id: string) => void): Promise<unknown> {
    const id = String(this.#count += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#end(id)?.reject(unknownOutcome(`The machine has not answered for ${timeoutMs / 1_000} s.`)), timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      send(id);
    });
  }

  onAnswer({ type, data }: Answer): void {
    const waiting = data.id === undefined ? undefined : this.#end(data.id);
    if (!waiting) return;
    if (type === 'reply') return waiting.resolve(data.result);
    const { code, message, field, nextStep } = data;
    waiting.reject(new TradeMindError({ code, message, field, nextStep }));
  }

  /** The line is lost: what was asked may have been done or not. */
  onLost(): void {
    for (const id of this.#waiting.keys()) this.#end(id)?.reject(unknownOutcome('The line was lost before the machine answered.'));
  }

  #end(id: string) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.timer);
    return waiting;
  }
}

const unknownOutcome = (message: string): TradeMindError =>
  new TradeMindError({ code: 'outcome_unknown', message, nextStep: 'Look at the machine\'s state before you ask again: it may have been done.' });
