import type { Store } from './store.ts';

export interface JournalEntry {
  seq: number;
  time: number;
  verb: string;
  app: string | null;
  machine: string | null;
  name: string | null;
  status: number;
  error: string | null;
}

/** Writes down one write request and how it ended. Rows are never changed. */
export function note(store: Store, entry: Omit<JournalEntry, 'seq' | 'time'>): void {
  store.db.run(
    'insert into journal (time, verb, app, machine, name, status, error) values (?, ?, ?, ?, ?, ?, ?)',
    store.now(), entry.verb, entry.app, entry.machine, entry.name, entry.status, entry.error,
  );
}

/** Entries after `after`, oldest first. */
export function readJournal(store: Store, after: number, limit: number): JournalEntry[] {
  return store.db.all('select seq, time, verb, app, machine, name, status, error from journal where seq > ? order by seq limit ?', after, limit);
}
