import type { Call } from '../answer.ts';
import { RestError } from './errors.ts';

export interface Shape { single: boolean; stripNulls: boolean }

/** What `Accept` asks for. Throws PGRST107 for a form this gateway does not speak. */
export function wantedShape(call: Call): Shape {
  const accept = (call.headers['accept'] ?? '').toLowerCase();
  const stripNulls = accept.includes('nulls=stripped');
  if (accept.includes('application/vnd.pgrst.object')) return { single: true, stripNulls };
  if (accept === '' || /\*\/\*|application\/(json|vnd\.pgrst\.array)/.test(accept)) return { single: false, stripNulls };
  throw new RestError(406, 'PGRST107', `None of these media types are available: ${accept.slice(0, 100)}`);
}

export interface Preferences {
  representation: boolean;
  count: boolean;
  resolution: 'merge' | 'ignore' | null;
  /** A key that a row leaves out takes the column's default, not null. */
  missingDefault: boolean;
  /** Throws PGRST124 when more rows changed than `max-affected` allows. */
  check(rows: number): void;
}

/** What `Prefer` asks for. */
export function parsePreferences(call: Call): Preferences {
  const words = new Set((call.headers['prefer'] ?? '').split(',').map((word) => word.trim()));
  const most = [...words].map((word) => /^max-affected=(\d+)$/.exec(word)?.[1]).find((found) => found !== undefined);
  return {
    representation: words.has('return=representation'),
    count: words.has('count=exact') || words.has('count=planned') || words.has('count=estimated'),
    resolution: words.has('resolution=merge-duplicates') ? 'merge' : words.has('resolution=ignore-duplicates') ? 'ignore' : null,
    missingDefault: words.has('missing=default'),
    check: (rows) => {
      if (most !== undefined && words.has('handling=strict') && rows > Number(most)) {
        throw new RestError(400, 'PGRST124', 'Query result exceeds max-affected preference constraint', `The query affects ${rows} rows`);
      }
    },
  };
}
