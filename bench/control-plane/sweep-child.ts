// A child of the bench: one sweep in a process of its own, as a replica makes it. Prints what it took.
import { createHttp } from '../../control-plane/http.ts';
import { createSweepDatabase } from '../../control-plane/database/sweep.ts';
import { SWEEP_RULES } from '../../control-plane/sweep/loop.ts';
import { sweep } from '../../control-plane/sweep/sweep.ts';
import { createFlyClient } from '../../packages/fly/index.ts';
import { TEST_TOKEN } from '../../tests/support/fly.ts';

export interface SweepFigures { ms: number; requests: number; calls: number; rssMb: number; listed: number; known: number; differs: number; missing: number; orphan: number }

const [supabaseUrl = '', secretKey = '', flyUrl = ''] = process.argv.slice(2);
const http = createHttp();
let calls = 0;
const counted: typeof fetch = (input, init) => { calls += 1; return http.fetch(input, init); };
const database = createSweepDatabase({ url: supabaseUrl, secretKey, fetch: counted });
const fly = createFlyClient({ baseUrl: flyUrl, token: TEST_TOKEN, dispatcher: http.agent });

const began = performance.now();
const fence = await database.claim('bench', 3_600);
if (fence === null) throw new Error('no sweep was due');
const swept = await sweep(fence, { fly, database, org: 'personal', apps: false, rules: { ...SWEEP_RULES, orphanGraceSeconds: 3_600 }, now: Date.now, signal: new AbortController().signal });
const ms = performance.now() - began;
const { listed, known, differs, missing, orphan, requests } = swept;
process.stdout.write(JSON.stringify({ ms, requests, calls, rssMb: process.resourceUsage().maxRSS / 1_024, listed, known, differs, missing, orphan } satisfies SweepFigures));
await http.close();
