import type { MachineStatus, Signal } from '@trademind/core';
import { count, duration, elapsed, utc } from '../output/format.ts';
import type { Terminal } from '../output/terminal.ts';
import type { MarketChoice } from './market.ts';
import { marketName } from './market.ts';
import type { Telling } from './machine-timeline.ts';
import { backfillText, decisionLine, doingText, historyBlock, liveText, signalBlock, signalLine, stepText, whereToLook } from './story-text.ts';
import type { SupervisedEvent } from './supervise.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;
/** Without a TTY the quiet line is a line of its own, this often. */
const QUIET_LINE_MS = 30_000;

export type Story = ReturnType<typeof createStory>;

/** Tells a person how the local cloud comes up and goes on. `began` and `now` are wall time. */
export function createStory(terminal: Terminal, began: number, now: () => number) {
  const { colors: c } = terminal;
  const since = () => elapsed(now() - began);
  let doing: { name: string; detail: string } | null = null;
  let live: { status: MachineStatus; at: number; signals: number } | null = null;
  let quietAt = 0;
  let frame = 0;

  const draw = () => {
    frame = (frame + 1) % FRAMES.length;
    if (doing) terminal.transient(doingText(c, FRAMES[frame] ?? '', since(), doing.name, doing.detail));
    else if (live) terminal.transient(liveText(c, live.status, marketNow(live, now()), live.signals));
    else terminal.transient(null);
  };
  const timer = terminal.tty ? setInterval(draw, FRAME_MS) : null;
  const step = (name: string, detail: string) => terminal.line(stepText(c, since(), name, detail));
  const stamped = (text: string) => `${c.dim(since())}  ${text}`;
  const note = (text: string) => terminal.line(stamped(text));
  /** What there is more of elsewhere: one row is enough here. */
  const brief = (text: string) => terminal.row(stamped(text));

  const story = {
    title: () => terminal.line(`\n  ${c.bold('TradeMind')} ${c.dim('local cloud')}\n`),
    market: ({ market, speed, why }: MarketChoice, cwd: string) => step('market', `${marketName(market, cwd)}${speed === 1 ? '' : `, ×${speed}`} ${c.dim(`(${why})`)}`),
    step,
    note,
    warn: (text: string) => note(`${c.yellow('!')} ${text}`),
    /** What is under way, drawn on the last line of a TTY; null: nothing. */
    doing: (name: string | null, detail = '') => {
      doing = name === null ? null : { name, detail };
      if (terminal.tty) draw();
    },
    supervised: (event: SupervisedEvent) => {
      if (event.type === 'died') note(`${c.yellow('!')} ${event.name} ended (${event.how}); it is started again`);
      else if (event.type === 'restarted') note(`${c.green('✔')} ${event.name} runs again after ${duration(event.tookMs)}`);
      else if (event.type === 'restart-failed') note(`${c.red('!')} ${event.message} Next try in ${duration(event.waitMs)}.`);
    },
    tell: (telling: Telling) => {
      switch (telling.type) {
        case 'created': return step('created', telling.message);
        case 'phase': return step(telling.phase, telling.message);
        case 'backfill': {
          story.doing('backfilling', backfillText(telling.status));
          const { done, total } = telling.status.market.backfilled;
          if (!terminal.tty || (done === total && total > 0)) step('backfilling', backfillText(telling.status));
          return undefined;
        }
        case 'screening': {
          story.doing(null);
          return step('screening', `${count(telling.status.traders.length, 'trader')} on ${count(telling.status.market.symbols, 'symbol')}, market time ${utc(telling.status.market.time)} UTC`);
        }
        case 'history': return terminal.line(historyBlock(c, telling.signals, telling.status.traders).join('\n'));
        case 'signal': return telling.first ? story.firstSignal(telling.signal) : brief(signalLine(c, telling.signal));
        case 'decision': return brief(decisionLine(c, telling.outcome));
        case 'halted': return story.warn(`${telling.symbols.join(', ')}: the recorded candles have ended, trading is halted.`);
        case 'status': return undefined;
      }
    },
    firstSignal: (signal: Signal) => terminal.line([`${c.dim(since())}  ${c.yellow('★')} ${c.bold('first signal')}`, ...signalBlock(c, signal)].join('\n')),
    whereToLook: (places: Parameters<typeof whereToLook>[1]) => terminal.line(whereToLook(c, places).join('\n')),
    /** The quiet line: in place on a TTY, every 30 s otherwise. */
    live: (status: MachineStatus, signals: number) => {
      live = { status, at: now(), signals };
      if (terminal.tty || now() - quietAt < QUIET_LINE_MS) return;
      quietAt = now();
      note(liveText(c, status, status.market.time, signals));
    },
    stopped: (tookMs: number) => note(`${c.green('✔')} everything is stopped (${duration(tookMs)}); the data is kept`),
    /** Nothing is drawn in place any more. */
    quiet: () => {
      doing = null;
      live = null;
      terminal.transient(null);
    },
    end: () => {
      if (timer) clearInterval(timer);
      story.quiet();
    },
  };
  return story;
}

/** Between two words of the machine its market clock is carried on, but not past a halt. */
function marketNow({ status, at }: { status: MachineStatus; at: number }, now: number): number {
  return status.market.time + (status.market.connected ? (now - at) * status.market.rate : 0);
}
