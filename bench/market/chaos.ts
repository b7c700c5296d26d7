import type { Interval } from '@trademind/core';
import type { ChaosArea } from '../frame/chaos.ts';
import { compareWithTruth, startChaosMachine, type ChaosMachine, type Compared, type TrueRow } from './chaos-machine.ts';
import { admin, endExchangeProcess, marketTime, startExchangeProcess, wait, type ExchangeProcess } from './exchange-process.ts';
import { HARMS, LOST_CLOSES, type Draw, type Harm } from './faults.ts';

const SYMBOLS = 12;
const SPEED = 60;
const INTERVALS: readonly Interval[] = ['1m', '5m'];
const LOOK_MS = 100;
/** What is done at once is given so long to show. */
const LEAST_MS = 1_000;
/** Longest that anything may take to recover. */
const MOST_RECOVERY_MS = 180_000;
/** Of the faults that are long by their nature a storm does one in so many. */
const LONG_SHARE = 0.15;
/** For the time that is left: what a recovery takes as a rule, and the comparison at the end. */
const USUAL_RECOVERY_MS = 2_000;
const LAST_LOOK_MS = 20_000;
/** So often the storm tells how it goes. */
const TELL_MS = 30_000;
/** Pause between two faults of a storm, at most: short enough that they overlap. */
const PAUSE_MS = 3_000;

interface Limits { weights: Record<string, { highest: number; refusals: number; bans: number }> }

/** Waits until all streams flow and every candle that has closed by now is here; answers after how many seconds. Throws what is still wrong after the longest recovery. */
async function untilCurrent(exchange: ExchangeProcess, machine: ChaosMachine, what: string): Promise<number> {
  const began = performance.now();
  const now = await marketTime(exchange);
  while (!machine.isCurrent(now)) {
    if (performance.now() - began > MOST_RECOVERY_MS) throw new NotRecovered(`${what}: not recovered within ${MOST_RECOVERY_MS / 1_000} s: ${JSON.stringify(machine.market.problems())}`);
    await wait(LOOK_MS);
  }
  return (performance.now() - began) / 1_000;
}

const AT_ONCE: ReadonlySet<string> = new Set(['close', 'server-shutdown']);

class NotRecovered extends Error {}

const shown = (seconds: number) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
const aloneMs = (harm: Harm) => Math.max(LEAST_MS, harm.seconds * 1_000);

async function order(exchange: ExchangeProcess, harm: Harm, draw: Draw): Promise<void> {
  if (harm.needsRest) await admin(exchange, '/faults', LOST_CLOSES);
  for (const one of harm.orders(draw)) {
    // What is done at once takes no time.
    const lasts = harm.seconds > 0 && !('forMs' in one) && !AT_ONCE.has((one as { kind: string }).kind);
    await admin(exchange, '/faults', { ...one, ...(lasts ? { forMs: harm.seconds * 1_000 } : {}) }).catch((error: { status?: number }) => {
      // Something else happens to that symbol at that time already: that is harm enough.
      if (error.status !== 409) throw error;
    });
  }
}

const clearFaults = (exchange: ExchangeProcess) => fetch(`${exchange.admin}/faults`, { method: 'DELETE' });

/** Compares every candle that ever came out with the exchange's own. */
async function compareAll(exchange: ExchangeProcess, machine: ChaosMachine, symbols: readonly string[]): Promise<Compared> {
  const all: Compared = { candles: 0, marked: 0, forgotten: 0, violations: [] };
  for (const symbol of symbols) {
    for (const interval of INTERVALS) {
      const from = machine.taken.get(`${symbol} ${interval}`)?.[0]?.openTime ?? 0;
      const { rows } = await admin<{ rows: TrueRow[] }>(exchange, `/klines?symbol=${symbol}&interval=${interval}&startTime=${from}&limit=10000`);
      const compared = compareWithTruth(machine, symbol, interval, rows);
      all.candles += compared.candles;
      all.marked += compared.marked;
      all.forgotten += compared.forgotten;
      all.violations.push(...compared.violations);
    }
  }
  return all;
}

/** The market room against an exchange that does every harm it knows, each alone and then many at once; afterwards every candle is held against the exchange's. */
export const area: ChaosArea = {
  what: `every fault of the exchange, each alone and then in a storm, against the market room of a machine: ${SYMBOLS} symbols, ${INTERVALS.join(' and ')}, ×${SPEED}`,
  defaultMinutes: 5,
  async run({ minutes, random, say }) {
    const exchange = await startExchangeProcess({ symbols: SYMBOLS, speed: SPEED, seed: 'chaos' });
    const harmed: Record<string, number> = {};
    const recoverySeconds: number[] = [];
    let machine: ChaosMachine | undefined;
    try {
      const { symbols: listed } = (await (await fetch(`${exchange.url}/api/v3/exchangeInfo`)).json()) as { symbols: { symbol: string }[] };
      const symbols = listed.map(({ symbol }) => symbol);
      const draw: Draw = { random, symbol: () => symbols[Math.floor(random() * symbols.length)]!, seed: () => String(Math.floor(random() * 1e9)) };
      machine = await startChaosMachine(exchange, symbols, INTERVALS, say);
      await untilCurrent(exchange, machine, 'the start');
      const { doubts } = machine.market.candles;
      const unrecovered: string[] = [];
      const recover = async (name: string, left: number) => {
        await clearFaults(exchange);
        try {
          const took = await untilCurrent(exchange, machine!, name);
          recoverySeconds.push(took);
          say(`${name}: recovered ${took.toFixed(1)} s after its end${left > 0 ? `; about ${shown(left / 1_000)} left` : ''}`);
        } catch (error) {
          if (!(error instanceof NotRecovered)) throw error;
          say(error.message);
          unrecovered.push(error.message);
        }
      };

      const stormMs = minutes * 60_000;
      for (const [index, harm] of HARMS.entries()) {
        harmed[harm.name] = 1;
        await order(exchange, harm, draw);
        await wait(aloneMs(harm));
        const left = HARMS.slice(index + 1).reduce((sum, { seconds }) => sum + seconds * 1_000 + USUAL_RECOVERY_MS, stormMs + LAST_LOOK_MS);
        await recover(`${index + 1} of ${HARMS.length}, ${harm.name}`, left);
      }

      const began = performance.now();
      const [short, long] = [HARMS.filter((harm) => !harm.long), HARMS.filter((harm) => harm.long)];
      for (let told = began; performance.now() - began < stormMs;) {
        const kinds = random() < LONG_SHARE ? long : short;
        const harm = kinds[Math.floor(random() * kinds.length)]!;
        harmed[harm.name] = (harmed[harm.name] ?? 0) + 1;
        await order(exchange, harm, draw);
        await wait(random() * PAUSE_MS);
        if (performance.now() - told < TELL_MS) continue;
        told = performance.now();
        const { streams, candles } = machine.market;
        say(`the storm: ${shown((told - began) / 1_000)} of ${shown(stormMs / 1_000)}, ${Object.values(harmed).reduce((sum, count) => sum + count) - HARMS.length} faults, ${streams.reconnects} connections lost, ${candles.gaps} gaps; about ${shown((stormMs - (told - began) + LAST_LOOK_MS) / 1_000)} left`);
      }
      await recover('the storm', LAST_LOOK_MS);

      // What came wrong and was corrected later is found by second looks, of which the machine takes one round an hour: here all at once.
      await machine.market.compareAll();
      await machine.stop();
      const compared = await compareAll(exchange, machine, symbols);
      const violations = [...unrecovered, ...machine.violations, ...compared.violations];
      for (const [address, { highest, refusals, bans }] of Object.entries((await admin<Limits>(exchange, '/limits')).weights)) {
        if (refusals + bans > 0) violations.push(`${address}: ${refusals} refusals and ${bans} bans that nobody had asked for, ${highest} weight in a minute`);
      }
      if (doubts > 0) violations.push(`${doubts} candles were doubted before any harm was done`);
      const { marks, streams, candles } = machine.market;
      return {
        harm: harmed, violations, recoverySeconds,
        checked: [
          `${compared.candles} candles of ${symbols.length * INTERVALS.length} series against the exchange's, each once and in order; ${compared.marked} of them marked; ${compared.forgotten} that the store had forgotten (before a hole) had not been looked at again`,
          `marks: ${Object.entries(marks.counts).map(([kind, count]) => `${kind} ${count}`).join(', ')}; ${candles.gaps} gaps filled, ${candles.doubts} candles doubted, ${streams.reconnects} connections lost`,
          `frames: ${Object.entries(streams.counts).filter(([, count]) => count > 0).map(([kind, count]) => `${kind} ${count}`).join(', ')}`,
          'no refusal and no ban beyond those that were asked for',
        ],
      };
    } finally {
      await machine?.stop();
      await endExchangeProcess(exchange);
    }
  },
};
