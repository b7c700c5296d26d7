import type { MachineView } from '@trademind/core';
import { healthFromOutside, sizeName } from '@trademind/core';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { analysisText } from '../output/analysis.ts';
import { count, duration, utc } from '../output/format.ts';
import { healthLines } from '../output/health.ts';
import { createTerminal, type Colors } from '../output/terminal.ts';
import { findLocalCloud, type LocalCloud } from '../services/local-cloud.ts';

/** `trademind status`: where the local cloud is and how the user's machine stands. */
export async function status(options: { data?: string; json?: boolean }, io: Io): Promise<number> {
  const cloud = findLocalCloud(options.data, io);
  const machines = await cloud.control.machines();
  if (options.json) {
    const { supervisor, since, market, speed } = cloud.running;
    io.stdout(`${JSON.stringify({ running: { pid: supervisor.pid, since, market, speed, ...cloud.urls }, machines })}\n`);
    return machines.length > 0 ? EXIT.ok : EXIT.notFound;
  }
  const { colors: c, line } = createTerminal(io.streams.stdout, io.color.stdout);
  for (const text of cloudLines(c, cloud, io.now())) line(text);
  for (const machine of machines) for (const text of machineLines(c, machine, io.now())) line(text);
  if (machines.length > 0) return EXIT.ok;
  line('You have no machine.');
  line('  → npx trademind deploy');
  return EXIT.notFound;
}

const row = (c: Colors, name: string, value: string) => `  ${c.dim(name.padEnd(10))} ${value}`;

function cloudLines(c: Colors, { running, urls }: LocalCloud, now: number): string[] {
  return [
    `${c.bold('Local cloud')} ${c.dim(`pid ${running.supervisor.pid}, for ${duration(now - Date.parse(running.since))}`)}`,
    ...(running.market ? [row(c, 'market', `${running.market}${running.speed && running.speed !== 1 ? `, ×${running.speed}` : ''}`)] : []),
    row(c, 'page', urls.dashboard),
    row(c, 'API', `${urls.controlPlane}/docs`),
  ];
}

/** A machine in a glance. */
export function machineLines(c: Colors, machine: MachineView, now: number): string[] {
  const { status: said, lastError } = machine;
  const health = healthFromOutside(said?.health, machine.beatAt === null ? null : Date.parse(machine.beatAt), now);
  const phase = machine.phase === 'screening' ? c.green(machine.phase) : machine.phase === 'failed' ? c.red(machine.phase) : c.yellow(machine.phase);
  return [
    `${c.bold('Machine')} ${phase} ${c.dim(`for ${duration(now - Date.parse(machine.phaseSince))}`)}`,
    ...(machine.detail && machine.phase !== 'screening' ? [row(c, '', machine.detail)] : []),
    row(c, 'app', `${machine.app ?? 'not made yet'} ${c.dim(`${machine.region ?? machine.desired.region}, ${sizeName(machine.size ?? machine.desired.size)}`)}`),
    ...(said ? [
      row(c, 'market', `${utc(said.market.time)} UTC ×${said.market.rate}, ${count(said.market.symbols, 'symbol')}, ${count(said.market.candles, 'candle')}${said.market.connected ? '' : c.yellow(' (not connected)')}`),
      row(c, 'memory', `${Math.round(said.process.rssMb)} MB, ${said.process.cpuPercent.toFixed(1)} % CPU, up ${duration(said.process.uptimeS * 1_000)}`),
      ...said.traders.map((trader, index) => row(c, index === 0 ? 'traders' : '', `${trader.name} ${c.dim(`${trader.interval}, matches ${trader.matching} of ${trader.symbols}, ${count(trader.signals.live, 'live signal')}, ${trader.signals.history} in history`)}${trader.error ? c.red(` ${trader.error}`) : ''}`)),
      ...(said.analysis?.model ? [row(c, 'analysis', analysisText(said.analysis))] : []),
      ...(said.scaling && said.scaling.state !== 'unknown' ? [row(c, 'size', said.scaling.state === 'fits' ? c.dim(said.scaling.sentence) : c.yellow(said.scaling.sentence))] : []),
      ...said.problems.map(({ message }) => row(c, 'problem', c.yellow(message))),
    ] : []),
    ...(health ? healthLines(c, health, now).map((text, index) => row(c, index === 0 ? 'health' : '', text)) : []),
    ...(machine.beatAt ? [row(c, 'last beat', `${duration(now - Date.parse(machine.beatAt))} ago`)] : []),
    ...(lastError ? [row(c, 'error', c.red(lastError.message)), ...(lastError.nextStep ? [row(c, '', `→ ${lastError.nextStep}`)] : [])] : []),
  ];
}
