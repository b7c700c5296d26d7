import type { Store } from './store.ts';

/** One write, or one read that was refused for its rate. */
export interface JournalEntry {
  seq: number;
  /** ms. */
  time: number;
  /** Whose token it was. */
  who: string;
  /** The User-Agent, as it was sent. */
  agent: string | null;
  verb: string;
  app: string | null;
  machine: string | null;
  name: string | null;
  /** The lease nonce that was sent, or for an acquired lease the one that was given. */
  nonce: string | null;
  /** How the machine's lease stood before: held by the nonce that was sent, by another, by nobody; null when no machine was named. */
  lease: 'own' | 'other' | 'none' | null;
  /** What the stand-in decided; 0 = the request never reached it. What the caller was told may differ: see `fault`. */
  status: number;
  error: string | null;
  /** The kinds of the faults that struck it. */
  fault: string | null;
}

/** Writes down one write request and how it ended. Rows are never changed. */
export function note(store: Store, entry: Omit<JournalEntry, 'seq' | 'time'>): void {
  store.db.run(
    'insert into writes (time, who, agent, verb, app, machine, name, nonce, lease, status, error, fault) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    store.now(), entry.who, entry.agent, entry.verb, entry.app, entry.machine, entry.name, entry.nonce, entry.lease, entry.status, entry.error, entry.fault,
  );
}

export interface JournalQuery { after: number; limit: number; app: string | null; machine: string | null; verb: string | null; who: string | null }

/** Entries after `after`, oldest first, of this app, machine, verb or caller alone. */
export function readJournal(store: Store, query: JournalQuery): JournalEntry[] {
  return store.db.all(
    `select * from writes where seq > ?1 and (?2 is null or app = ?2) and (?3 is null or machine = ?3) and (?4 is null or verb = ?4) and (?5 is null or who = ?5)
     order by seq limit ?6`, query.after, query.app, query.machine, query.verb, query.who, query.limit,
  );
}
