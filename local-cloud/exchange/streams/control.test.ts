import { describe, expect, test } from 'vitest';
import { answerControl, MAX_STREAMS, type Subscriptions } from './control.ts';

function subscriptions(): Subscriptions & { held: Set<string> } {
  const held = new Set<string>();
  return { held, combined: false, names: () => [...held], has: (name) => held.has(name), add: (name) => { held.add(name); }, remove: (name) => { held.delete(name); } };
}
const ask = (frame: unknown, on = subscriptions()) => JSON.parse(answerControl(typeof frame === 'string' ? frame : JSON.stringify(frame), on)) as { result?: unknown; error?: { code: number; msg: string }; id?: unknown };

describe('control frames', () => {
  test('subscribe, list and unsubscribe', () => {
    const on = subscriptions();
    expect(ask({ method: 'SUBSCRIBE', params: ['a', 'b', 'a'], id: 1 }, on)).toEqual({ result: null, id: 1 });
    expect(ask({ method: 'UNSUBSCRIBE', params: ['a', 'never'], id: 'two' }, on)).toEqual({ result: null, id: 'two' });
    expect(ask({ method: 'LIST_SUBSCRIPTIONS', id: null }, on)).toEqual({ result: ['b'], id: null });
  });

  test('set and get whether frames are wrapped', () => {
    const on = subscriptions();
    expect(ask({ method: 'SET_PROPERTY', params: ['combined', true], id: 5 }, on)).toEqual({ result: null, id: 5 });
    expect(ask({ method: 'GET_PROPERTY', params: ['combined'], id: 6 }, on)).toEqual({ result: true, id: 6 });
    expect(ask({ method: 'SET_PROPERTY', params: ['combined', 'yes'], id: 7 }, on).error).toEqual({ code: 1, msg: 'Invalid value type: expected Boolean' });
    expect(ask({ method: 'GET_PROPERTY', params: ['other'], id: 8 }, on).error).toEqual({ code: 0, msg: 'Unknown property' });
  });

  test('refuse more than 1024 streams as a whole', () => {
    const on = subscriptions();
    const names = Array.from({ length: MAX_STREAMS }, (_, i) => `s${i}@miniTicker`);
    expect(ask({ method: 'SUBSCRIBE', params: names, id: 1 }, on).result).toBeNull();
    expect(ask({ method: 'SUBSCRIBE', params: ['s0@miniTicker'], id: 2 }, on).result).toBeNull();
    expect(ask({ method: 'SUBSCRIBE', params: ['x', 'y'], id: 3 }, on)).toEqual({ error: { code: 4, msg: 'Too many subscriptions' }, id: 3 });
    expect(on.held.size).toBe(MAX_STREAMS);
  });

  test.each([
    ['{', 3, 'Invalid JSON'],
    ['[]', 2, 'expected an object'],
    ['{"id":1}', 2, 'missing field `method`'],
    ['{"method":"SUBSCRIBE","params":["a"]}', 2, 'request ID must be an unsigned integer'],
    ['{"method":"SUBSCRIBE","params":["a"],"id":{}}', 2, 'request ID'],
    ['{"method":"subscribe","params":["a"],"id":1}', 2, 'unknown variant `subscribe`'],
    ['{"method":"SUBSCRIBE","params":"a","id":1}', 2, 'params must be a list'],
    ['{"method":"SUBSCRIBE","params":[1],"id":1}', 2, 'params must be a list'],
  ])('answer %s with error %i', (frame, code, message) => {
    const on = subscriptions();
    expect(ask(frame, on).error).toEqual({ code, msg: expect.stringContaining(message) });
    expect(on.held.size).toBe(0);
  });
});
