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
  /** No rows back, but where the new one is. */
  headersOnly: boolean;
  count: boolean;
  resolution: 'merge' | 'ignore' | null;
  /** A key that a row leaves out takes the column's default, not null. */
  missingDefault: boolean;
  /** IANA name that timestamps are shown in; PostgreSQL judges it. */
  timezone: string | null;
  /** For `Preference-Applied`. */
  honoured: string;
  /** Throws PGRST124 when more rows changed than `max-affected` allows. */
  check(rows: number): void;
}

const KNOWN = /^(return=(representation|minimal|headers-only)|count=(exact|planned|estimated)|resolution=(merge|ignore)-duplicates|missing=(default|null)|handling=(strict|lenient)|tx=(commit|rollback)|max-affected=\d{1,9}|timezone=[\w+/-]{1,63})$/;
/** Every transaction ends as it ends: `tx` is known and not honoured, as where the project's setting forbids to override it. */
const NOT_HONOURED = /^(tx=|handling=lenient$)/;

/** What `Prefer` asks for. Throws PGRST122 for an unknown preference under `handling=strict`. */
export function parsePreferences(call: Call): Preferences {
  const all = (call.headers['prefer'] ?? '').split(',').map((word) => word.trim()).filter((word) => word !== '');
  const words = new Set(all.filter((word) => KNOWN.test(word)));
  const strict = words.has('handling=strict');
  const unknown = all.filter((word) => !KNOWN.test(word));
  if (strict && unknown.length > 0) {
    throw new RestError(400, 'PGRST122', 'Invalid preferences given with handling=strict', `Invalid preferences: ${unknown.join(', ').slice(0, 200)}`);
  }
  const valueOf = (name: string) => [...words].find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const most = strict ? valueOf('max-affected') : undefined;
  return {
    representation: words.has('return=representation'),
    headersOnly: words.has('return=headers-only'),
    count: valueOf('count') !== undefined,
    resolution: words.has('resolution=merge-duplicates') ? 'merge' : words.has('resolution=ignore-duplicates') ? 'ignore' : null,
    missingDefault: words.has('missing=default'),
    timezone: valueOf('timezone') ?? null,
    honoured: [...words].filter((word) => !NOT_HONOURED.test(word)).join(', '),
    check: (rows) => {
      if (most !== undefined && rows > Number(most)) {
        throw new RestError(400, 'PGRST124', 'Query result exceeds max-affected preference constraint', `The query affects ${rows} rows`);
      }
    },
  };
}
