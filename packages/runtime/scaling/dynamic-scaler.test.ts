import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DEFAULT_SIZE, ScaleRequest, ScaleTerms, TradeMindError, type ScaleAdvice, type ScaleAnswer } from '@trademind/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HandWall } from '../../../tests/support/hand-wall.ts';
import { DynamicScaler, type DynamicScalerOptions } from './dynamic-scaler.ts';
import type { LoadSample } from './load.ts';
import { ControlPlaneScaling, type ScalePort } from './scale-port.ts';

const MINUTE_MS = 60_000;
const TERMS: ScaleTerms = ScaleTerms.parse({
  size: DEFAULT_SIZE, region: 'sin', generation: 3, automatic: true, policy: 'balanced', budgetUsd: null,
  bounds: { smallest: { cpuKind: 'shared', cpus: 1, memoryMb: 256 }, largest: { cpuKind: 'performance', cpus: 8, memoryMb: 65_536 } },
});

let wall: HandWall;
let ending: AbortController;
let asked: { at: number; request: ScaleRequest }[];
let answer: ScaleAnswer | Error;
let terms: ScaleTerms;
let cpuCores: number;
let kept: Map<string, string>;
let logged: string[];
let advice: ScaleAdvice[];
let running: Promise<void>[];
beforeEach(() => {
  wall = new HandWall();
  ending = new AbortController();
  [asked, logged, advice, running, kept, terms, cpuCores] = [[], [], [], [], new Map<string, string>(), TERMS, 0.3];
  answer = { decision: 'refused', code: 'plan_limit', message: 'The plan allows no more.' };
});
afterEach(async () => {
  ending.abort();
  await Promise.all(running);
});

const port: ScalePort = {
  terms: () => Promise.resolve(terms),
  ask: (request) => {
    asked.push({ at: wall.ms, request });
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  },
};
const sample = (): LoadSample => ({ at: wall.ms, overMs: 5_000, cpuCores, deniedCores: 0, rssMb: 100, passShare: 0, workerUse: 0, candleLagMs: 0, loopDelayMs: 0, tradersShed: 0 });

function start(over: Partial<DynamicScalerOptions> = {}): DynamicScaler {
  const scaler = new DynamicScaler({
    port, sample, wall, signal: ending.signal, outOfMemory: null, memory: { get: (key) => kept.get(key), set: (key, value) => { kept.set(key, value); } },
    log: (_level, code) => logged.push(code), onAdvice: (one) => advice.push(one), ...over,
  });
  running.push(scaler.run());
  return scaler;
}

describe('asking', () => {
  test('waits for five measured minutes, then asks with evidence and tells the answer', async () => {
    answer = { decision: 'accepted', code: 'accepted', message: 'It is resized once it has drained.' };
    const scaler = start();
    await wall.move(3 * MINUTE_MS);
    expect(asked).toEqual([]);
    expect(scaler.advice.state).toBe('unknown');
    await wall.move(3 * MINUTE_MS);
    expect(asked).toHaveLength(1);
    expect(ScaleRequest.parse(asked[0]?.request)).toMatchObject({ generation: 3, from: DEFAULT_SIZE, direction: 'up', evidence: { cpuCores: 0.3 } });
    expect(scaler.advice).toMatchObject({ state: 'asked', answer: { decision: 'accepted' }, sentence: expect.stringMatching(/^shared-8x 2048 MB instead of shared-1x 512 MB:.*It is resized once it has drained\.$/) as string });
    expect(logged).toEqual(['scale_asked', 'scale_accepted']);
  });

  test('never happens twice within five minutes, and after refusals ever more rarely, at least every hour', async () => {
    start();
    await wall.move(6 * 60 * MINUTE_MS);
    const gaps = asked.slice(1).map(({ at }, index) => (at - asked[index]!.at) / MINUTE_MS);
    expect(gaps[0]).toBeGreaterThanOrEqual(5);
    expect(gaps).toEqual(gaps.toSorted((a, b) => a - b));
    expect(gaps.at(-1)).toBeLessThanOrEqual(62);
    expect(asked.length).toBeLessThan(12);
  });

  test('keeps its distance over a restart, a clock that jumps, and an answer that never came', async () => {
    answer = new TradeMindError({ code: 'control_plane_unreachable', message: 'Away.' });
    const first = start();
    await wall.move(5 * MINUTE_MS);
    expect(asked).toHaveLength(1);
    expect(first.problem?.code).toBe('control_plane_unreachable');
    wall.skew = 3_600_000;
    await wall.move(3 * MINUTE_MS);
    expect(asked).toHaveLength(1);
    wall.skew = 0;
    ending.abort();
    await Promise.all(running);
    ending = new AbortController();
    kept.set('scaling', JSON.stringify({ ...JSON.parse(kept.get('scaling')!) as object, notBefore: wall.epoch() + 30 * MINUTE_MS }));
    start();
    await wall.move(25 * MINUTE_MS);
    expect(asked).toHaveLength(1);
    await wall.move(7 * MINUTE_MS);
    expect(asked).toHaveLength(2);
  });

  test('is left to the user where it is not automatic, and obeys what is allowed now', async () => {
    terms = { ...TERMS, automatic: false };
    const scaler = start();
    await wall.move(10 * MINUTE_MS);
    expect(asked).toEqual([]);
    expect(scaler.advice).toMatchObject({ state: 'wants', to: { cpus: 8 } });
    terms = { ...TERMS, bounds: { ...TERMS.bounds, largest: { cpuKind: 'shared', cpus: 2, memoryMb: 1_024 } } };
    await wall.move(3 * MINUTE_MS);
    expect(asked.map(({ request }) => request.to)).toEqual([{ cpuKind: 'shared', cpus: 2, memoryMb: 512 }]);
  });

  test('does not happen for a load that fits, and a machine that rests is not judged', async () => {
    cpuCores = 0.02;
    const scaler = start();
    await wall.move(20 * MINUTE_MS);
    expect(scaler.advice.state).toBe('fits');
    expect(asked).toEqual([]);
    const idle = start({ sample: () => undefined });
    await wall.move(20 * MINUTE_MS);
    expect(idle.advice.state).toBe('unknown');
  });

  test('a memory that ran out is remembered for a week, and only as long', async () => {
    cpuCores = 0.02;
    start({ outOfMemory: { at: wall.epoch(), mb: 512 } });
    await wall.move(6 * MINUTE_MS);
    expect(asked[0]?.request).toMatchObject({ to: { memoryMb: 768 }, evidence: { outOfMemoryMb: 512 } });
    ending.abort();
    await Promise.all(running);
    ending = new AbortController();
    terms = { ...TERMS, size: { ...DEFAULT_SIZE, memoryMb: 1_024 } };
    asked = [];
    start();
    await wall.move(2 * 60 * MINUTE_MS);
    expect(asked).toEqual([]);
    ending.abort();
    await Promise.all(running);
    ending = new AbortController();
    await wall.move(8 * 86_400_000);
    start();
    await wall.move(2 * 60 * MINUTE_MS);
    expect(asked[0]?.request).toMatchObject({ direction: 'down', to: { memoryMb: 512 } });
  });

  test('a look that was seen before is not counted twice', async () => {
    const once = { ...sample(), at: wall.ms + 1 };
    const scaler = start({ sample: () => once });
    await wall.move(20 * MINUTE_MS);
    expect(scaler.advice.state).toBe('unknown');
  });
});

describe("the control plane's endpoint", () => {
  let server: Server;
  let respond: (request: { method: string; authorization: string; body: string }) => [number, unknown];
  let url: string;
  beforeEach(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
        const [status, body] = respond({ method: request.method!, authorization: request.headers.authorization ?? '', body: Buffer.concat(chunks).toString() });
        response.writeHead(request.url === '/v1/machine/scale' ? status : 404, { 'content-type': 'application/json', ...(status === 302 && { location: '/elsewhere' }) }).end(typeof body === 'string' ? body : JSON.stringify(body));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => { server.closeAllConnections(); server.close(); });
  const scaling = () => new ControlPlaneScaling({ controlPlaneUrl: `${url}/`, secret: 'machine-secret-1', signal: ending.signal });

  test('is asked with the machine’s secret, and its answers are checked', async () => {
    const seen: string[] = [];
    respond = ({ method, authorization }) => { seen.push(`${method} ${authorization}`); return [200, TERMS]; };
    expect(await scaling().terms()).toEqual(TERMS);
    expect(seen).toEqual(['GET Bearer machine-secret-1']);
    respond = ({ body }) => [200, { decision: 'deferred', code: 'draining', message: `about ${(JSON.parse(body) as { generation: number }).generation}`, retryAfterS: 60 }];
    expect(await scaling().ask({ generation: 9 } as ScaleRequest)).toMatchObject({ decision: 'deferred', message: 'about 9', retryAfterS: 60 });
    respond = () => [200, { ...TERMS, bounds: { smallest: TERMS.bounds.largest, largest: TERMS.bounds.smallest } }];
    await expect(scaling().terms()).rejects.toMatchObject({ code: 'control_plane_answer_malformed', field: 'bounds' });
  });

  test('refusals keep their code, failures get one, and the secret is in none of them', async () => {
    const code = async (): Promise<string> => {
      const error = await scaling().terms().then(() => undefined, (caught: unknown) => caught as TradeMindError);
      expect(`${error?.message} ${error?.stack} ${String(error?.cause)}`).not.toContain('machine-secret-1');
      return error?.code ?? 'none';
    };
    respond = () => [401, { type: 'x', title: 'x', status: 401, code: 'machine_secret_refused', detail: 'No machine has this secret.' }];
    expect(await code()).toBe('machine_secret_refused');
    respond = () => [503, 'away'];
    expect(await code()).toBe('control_plane_failing');
    respond = () => [200, 'not json'];
    expect(await code()).toBe('control_plane_answer_malformed');
    respond = () => [302, ''];
    expect(await code()).toBe('control_plane_refused');
    server.closeAllConnections();
    server.close();
    expect(await code()).toBe('control_plane_unreachable');
  });
});
