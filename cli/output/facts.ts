import type { MachineStatus } from '@trademind/core';
import { backfillText, decisionLine, liveText, signalLine } from '../dev/story-text.ts';
import type { Io } from '../io.ts';
import type { Fact } from '../screens/market/market-state.ts';
import { createTerminal } from './terminal.ts';

/** A line about the state so often at most, unless the phase changes. */
const STATUS_MS = 30_000;
/** Of what is no warning this is worth a line. */
const NEWS: ReadonlySet<string> = new Set(['history_loaded']);

/** Prints what a machine says, where no screen can be drawn: a line for each new signal, change of phase and warning; JSON lines with `json`. */
export function printFacts(json: boolean, io: Io): (fact: Fact) => void {
  const { colors, line, row } = createTerminal(io.streams.stdout, io.color.stdout);
  const seen = new Set<string>();
  let phase = '';
  let statusAt = Number.NEGATIVE_INFINITY;
  let live = 0;
  const event = (name: string, data: object) => io.stdout(`${JSON.stringify({ event: name, ...data })}\n`);

  const status = (said: MachineStatus) => {
    const changed = said.phase !== phase;
    if (!changed && io.now() - statusAt < STATUS_MS) return;
    phase = said.phase;
    statusAt = io.now();
    if (json) event('status', { phase: said.phase, detail: said.detail, market: said.market, traders: said.traders, process: said.process, problems: said.problems });
    else if (said.phase === 'screening') line(liveText(colors, said, said.market.time, live));
    else line(`${said.phase}: ${said.phase === 'backfilling' ? backfillText(said) : said.detail}`);
  };

  return (fact) => {
    switch (fact.type) {
      case 'snapshot':
        for (const { id, origin } of fact.data.signals) {
          seen.add(id);
          if (origin === 'live') live += 1;
        }
        return status(fact.data.status);
      case 'status': return status(fact.data);
      case 'signal':
        if (seen.has(fact.data.id)) return undefined;
        seen.add(fact.data.id);
        if (fact.data.origin === 'live') live += 1;
        if (json) return event('signal', fact.data);
        return fact.data.origin === 'live' ? row(signalLine(colors, fact.data)) : undefined;
      case 'analysis':
        if (json) return event('analysis', fact.data);
        return fact.data.kind === 'decision' ? row(decisionLine(colors, fact.data)) : undefined;
      case 'log':
        if (json) return event('log', fact.data);
        if (fact.data.level === 'info') return NEWS.has(fact.data.code) ? line(fact.data.message) : undefined;
        return line(`${colors.yellow('!')} ${fact.data.message}`);
      case 'metrics': return undefined;
    }
  };
}
