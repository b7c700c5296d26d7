import { randomUUID } from 'node:crypto';

/** A mail that a real project would have sent. */
export interface Mail { to: string; subject: string; text: string; html: string }
export interface CaughtMail extends Mail { id: string; at: string }

const MOST_MAILS = 500;

/** Catches what the gateway would send: nothing ever leaves this machine. Keeps the latest 500, newest first. */
export class Mailbox {
  readonly #now: () => number;
  #mails: CaughtMail[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  catch(mail: Mail): void {
    this.#mails = [{ ...mail, id: randomUUID(), at: new Date(this.#now()).toISOString() }, ...this.#mails].slice(0, MOST_MAILS);
  }

  /** All, or those to one address. */
  list(to?: string): readonly CaughtMail[] {
    return to === undefined ? this.#mails : this.#mails.filter((mail) => mail.to === to.toLowerCase());
  }

  /** `latest` names the newest. */
  read(id: string): CaughtMail | undefined {
    return id === 'latest' ? this.#mails[0] : this.#mails.find((mail) => mail.id === id);
  }

  /** Deletes these, or all. */
  remove(ids: readonly string[] | null): void {
    this.#mails = ids === null ? [] : this.#mails.filter((mail) => !ids.includes(mail.id));
  }
}
