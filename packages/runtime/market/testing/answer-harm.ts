import type { Draws } from './harm.ts';
import { damaged, withStranger } from './harm.ts';

/** What an exchange would have answered. */
export interface RightAnswer {
  /** The answer's JSON. */
  body: string;
  headers: Record<string, string>;
  /** For klines: the rows, and those of another symbol or interval at the same place. */
  rows?: readonly unknown[][];
  others?: { symbol(): readonly unknown[][]; interval(): readonly unknown[][] };
}

/** `lie`: a form that an exchange may give, so that the client cannot refuse it by its form alone. */
export interface HarmedAnswer { kind: string; lie: boolean; status: number; headers: Record<string, string>; body: string | ReadableStream<Uint8Array> | Error }

/** An answer that no exchange gives, made of the right one; `kind` names what was done to it. */
export function harmedAnswer(right: RightAnswer, draws: Draws, statuses: readonly number[] = STATUSES): HarmedAnswer {
  const kind = draws.of(right.rows && right.rows.length > 2 ? [...ANY, ...OF_ROWS] : ANY);
  const harmed = (body: HarmedAnswer['body'], more: Partial<HarmedAnswer> = {}): HarmedAnswer => ({ kind, lie: false, status: 200, headers: right.headers, body, ...more });
  const rows = right.rows ?? [];
  const at = draws.within(0, Math.max(0, rows.length - 2));
  const told = (changed: readonly unknown[][], lie = false) => harmed(JSON.stringify(changed), { lie });
  switch (kind) {
    case 'truncated': return harmed(right.body.slice(0, draws.within(0, right.body.length - 1)));
    case 'damaged': {
      const body = damaged(right.body, draws).toString('utf8');
      // Digits that changed leave an answer that may be true.
      return harmed(body, { lie: isJson(body) });
    }
    case 'stranger': {
      const body = withStranger(right.body, draws);
      return harmed(body, { lie: body === right.body });
    }
    case 'empty': return harmed('');
    case 'html': return harmed('<!DOCTYPE html><html><body>Bad gateway</body></html>', { headers: { 'content-type': 'text/html' } });
    case 'other thing': return harmed(draws.of(['null', '{}', '"text"', '7', '[null]', '[[]]', '[[1,2,3]]', '{"map":1}', '{"code":-1121,"msg":"Invalid symbol."}', '{"symbols":{"length":1}}', '{"symbols":[null]}', '{"symbols":[],"rateLimits":7}', '{"serverTime":1e400}', '{"serverTime":-1}', '{"serverTime":8640000000000001}']));
    case 'status': return harmed(draws.of(['', '<html></html>', '{"code":-1003,"msg":"Too many requests."}', '{"msg":{"toString":null}}', '{"msg":7,"code":[]}', right.body]), {
      status: draws.of(statuses), headers: { 'retry-after': draws.of(['', '0', '-1', '1', '2', '1e9', 'soon', '2.5', new Date(0).toUTCString(), 'Fri, 99 Foo 2024', ' ']) },
    });
    case 'headers': return harmed(right.body, { lie: true, headers: {
      ...right.headers, 'x-mbx-used-weight-1m': draws.of(['NaN', '-5', '1e308', '', 'many', '5999', '0x10']), date: draws.of(['', 'yesterday', new Date(0).toUTCString(), new Date(4e12).toUTCString(), 'Thu, 01 Jan 275760 00:00:00 GMT']),
      ...(draws.chance(0.5) ? { 'x-market-clock-rate': draws.of(['NaN', '-1', '1e308', '', 'Infinity', '0x10', '1,5']) } : {}),
    } });
    case 'torn body': return harmed(new ReadableStream({ start: (controller) => { controller.enqueue(Buffer.from(right.body.slice(0, 50))); controller.error(new TypeError('terminated')); } }));
    case 'unreachable': return harmed(Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error('reset'), { code: draws.of(['ECONNRESET', 'ENOTFOUND', 'UND_ERR_SOCKET']) }) }));
    case 'out of order': return told([...rows.slice(0, at), rows[at + 1]!, rows[at]!, ...rows.slice(at + 2)]);
    case 'backwards': return told(rows.toReversed());
    case 'doubled': return told([...rows.slice(0, at + 1), ...rows.slice(at)]);
    case 'hole': return told([...rows.slice(0, at), ...rows.slice(at + draws.within(1, 3))], true);
    case 'no rows': return told([], true);
    case 'other symbol': return told(right.others!.symbol(), true);
    case 'other interval': return told(right.others!.interval());
    case 'shifted': {
      const by = draws.of([1, 60_000, -60_000, 60_000 * draws.within(2, 100), 86_400_000 * 365 * 30, 7e15]);
      return told(rows.map(([openTime, ...rest]) => [(openTime as number) + by, ...rest.with(5, (rest[5] as number) + by)]), true);
    }
    case 'impossible': {
      const [column, value] = draws.of<[number, unknown]>([[2, '0.00000001'], [3, '99999999'], [1, '99999999'], [4, '0'], [5, '-1'], [8, -1], [8, 1e308], [7, '1e5'], [6, 0], [0, '1'], [9, null], [4, 5], [0, null]]);
      return told(rows.with(at, rows[at]!.with(column, value)), value === 5);
    }
    default: return told([...rows, ...Array.from({ length: 1_001 - rows.length }, (_, index) => rows.at(-1)!.with(0, (rows.at(-1)![0] as number) + 60_000 * (index + 1)))], true);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const STATUSES = [204, 301, 400, 401, 403, 404, 418, 429, 451, 500, 502, 503, 504];
const ANY = ['truncated', 'damaged', 'stranger', 'empty', 'html', 'other thing', 'status', 'headers', 'torn body', 'unreachable'] as const;
const OF_ROWS = ['out of order', 'backwards', 'doubled', 'hole', 'no rows', 'other symbol', 'other interval', 'shifted', 'impossible', 'too many'] as const;
