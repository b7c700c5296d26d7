import { TradeMindError } from '@trademind/core';
import type { Database, WriteAnswer } from '../../control/database.ts';

/**
 * What happens to a call: it is answered; it is done but the answer is lost; it never arrives; the database is busy, or fails as a whole.
 * A row may be at fault itself by its field `harm`: it is rejected, it spoils the whole call, or the database fails on it.
 */
export type Fate = 'answered' | 'answer lost' | 'unreachable' | 'busy' | 'failing';
export type Harm = 'rejected' | 'spoils' | 'breaks';

interface Row { id: string; harm?: Harm }

const error = (code: string) => new TradeMindError({ code, message: `Harm done on purpose: ${code}.` });

/** The contract of `write_facts` in memory: idempotent by kind and id, and harmed as told. */
export class FactDatabase implements Pick<Database, 'writeFacts'> {
  /** What is stored, by kind, in the order in which it first arrived. */
  readonly stored = new Map<string, string[]>();
  readonly batches: string[][] = [];
  /** Rows that were sent in a call of their own which failed, whether it was done or not. */
  readonly failedAlone = new Set<string>();
  readonly #known = new Set<string>();
  fate: () => Fate = () => 'answered';

  writeFacts(facts: Readonly<Record<string, readonly unknown[]>>): Promise<WriteAnswer> {
    const fate = this.fate();
    const sent = Object.values(facts).flat() as Row[];
    if (sent.length === 1 && fate !== 'answered') this.failedAlone.add(sent[0]!.id);
    if (fate === 'unreachable') return Promise.reject(error('database_unreachable'));
    if (fate === 'busy') return Promise.reject(error('database_busy'));
    if (fate === 'failing') return Promise.reject(error('database_failing'));
    const rows = Object.entries(facts).flatMap(([kind, ofKind]) => ofKind.map((row, index) => ({ ...(row as Row), kind, index })));
    if (rows.some(({ harm }) => harm === 'spoils')) return Promise.reject(error('database_refused'));
    if (rows.some(({ harm }) => harm === 'breaks')) return Promise.reject(error('database_failing'));
    const bad = rows.filter(({ harm }) => harm === 'rejected');
    let written = 0;
    for (const { kind, id, harm } of rows) {
      if (harm === 'rejected' || this.#known.has(`${kind} ${id}`)) continue;
      this.#known.add(`${kind} ${id}`);
      this.stored.set(kind, [...(this.stored.get(kind) ?? []), id]);
      written += 1;
    }
    if (rows.length > 0) this.batches.push(rows.map(({ id }) => id));
    if (fate === 'answer lost') return Promise.reject(error('database_unreachable'));
    return Promise.resolve({ written, duplicates: rows.length - written - bad.length, rejected: bad.map(({ kind, index }) => ({ kind, index, code: 'value_refused', message: 'Not this one.' })) });
  }
}
