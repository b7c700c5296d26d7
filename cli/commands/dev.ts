import { runDev } from '../dev/run.ts';
import { AlreadyRunning, isRunning, readRunning, type Running } from '../dev/lock.ts';
import { foldersOf } from '../dev/data-folder.ts';
import { parseDevOptions, type DevArguments, type DevOptions } from '../dev/options.ts';
import { resetDataFolder } from '../dev/reset.ts';
import { createStory } from '../dev/story.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { createTerminal } from '../output/terminal.ts';
import { confirm } from '../prompts/confirm.ts';

/** `trademind dev`, `npm start`. With --json stdout carries JSON lines only; the story goes to stderr. */
export async function dev(given: DevArguments, io: Io): Promise<number> {
  const options = parseDevOptions(given, io.cwd);
  if (options.reset && !(await reset(options, io))) return EXIT.interrupted;
  const [stream, color] = options.json ? [io.streams.stderr, io.color.stderr] : [io.streams.stdout, io.color.stdout];
  const terminal = createTerminal(stream, color);
  const story = createStory(terminal, io.now(), io.now);
  const emit = options.json ? (event: object) => io.stdout(`${JSON.stringify(event)}\n`) : () => undefined;
  story.title();
  try {
    return await runDev(options, io, { story, emit });
  } catch (error) {
    if (!(error instanceof AlreadyRunning) || options.untilFirstSignal) throw error;
    sayWhere(error.running, options.json, io);
    return EXIT.ok;
  } finally {
    story.end();
  }
}

async function reset(options: DevOptions, io: Io): Promise<boolean> {
  const running = readRunning(foldersOf(options.data).running);
  if (isRunning(running)) throw new AlreadyRunning(running);
  const asked = !options.yes && !options.json && io.interactive;
  if (asked && !(await confirm(`Delete ${options.data} with its machine, traders and signals?`, io))) return false;
  await resetDataFolder(options.data, running, io.environment.inherited);
  return true;
}

/** A start while one runs: where that one is. */
function sayWhere(running: Running, json: boolean, io: Io): void {
  if (json) {
    const { controlPlane, dashboard, supabase, fly, exchange, gemini } = running.urls ?? {};
    io.stdout(`${JSON.stringify({ ready: running.machineId !== undefined, code: 'already_running', pid: running.supervisor.pid, since: running.since, controlPlane, dashboard, supabase, fly, exchange, gemini, market: running.market, speed: running.speed })}\n`);
    return;
  }
  const lines = [
    `TradeMind runs here already (pid ${running.supervisor.pid}, since ${running.since.slice(0, 19).replace('T', ' ')} UTC)${running.market ? `: ${running.market}` : ''}.`,
    ...(running.urls ? [`  page  ${running.urls.dashboard}`, `  API   ${running.urls.controlPlane}/docs`] : []),
    '  → npx trademind status; Ctrl-C where it runs stops it; --data DIR --port-base N starts another one.',
  ];
  io.stdout(`${lines.join('\n')}\n`);
}
