import { existsSync } from 'node:fs';
import type { Environment } from '../environment.ts';
import { ROOT } from '../paths.ts';
import { registerImage, type Plan } from './components.ts';
import type { DataFolder } from './data-folder.ts';
import { machineImage } from './image.ts';
import { chooseMarket, liveAnswers, type MarketChoice } from './market.ts';
import { checkRecordingMb, type DevOptions } from './options.ts';
import { DEFAULT_PORT_BASE, freePorts, portsFrom, requireFree } from './ports.ts';
import { openSecrets } from './secrets.ts';
import { readSettings, writeSettings, type PortName, type Ports, type Settings } from './settings.ts';

export interface Prepared { plan: Plan; choice: MarketChoice; settings: Settings }

/** Settles everything before the first process starts: market, ports, secrets, release. Throws what a person can act on. */
export async function prepare(options: DevOptions, folder: DataFolder, environment: Environment, fetch: typeof globalThis.fetch): Promise<Prepared> {
  checkRecordingMb(environment.recordingMb);
  const remembered = readSettings(folder.settings);
  const secrets = openSecrets(folder.secrets, existsSync(folder.postgres));
  const choice = await chooseMarket(options, remembered, () => liveAnswers(fetch));
  const { portBase, ports } = await choosePorts(options.portBase, remembered, choice, environment);
  const settings: Settings = { ...remembered, market: choice.market, speed: choice.speed, portBase, ports };
  writeSettings(folder.settings, settings);
  const plan: Plan = { root: ROOT, folder, ports, secrets, market: choice.market, speed: choice.speed, image: machineImage(ROOT), environment };
  registerImage(plan);
  return { plan, choice, settings };
}

async function choosePorts(wish: number | undefined, remembered: Settings, { market }: MarketChoice, environment: Environment): Promise<{ portBase: number; ports: Ports }> {
  const portBase = wish ?? remembered.portBase ?? DEFAULT_PORT_BASE;
  if (portBase === 0) return { portBase, ports: await freePorts(remembered.portBase === 0 ? remembered.ports : undefined) };
  const ports = portsFrom(portBase);
  const unused = new Set<PortName>([...(market.kind === 'live' ? ['exchange' as const] : []), ...(environment.geminiApiKey ? ['gemini' as const] : [])]);
  await requireFree(ports, (Object.keys(ports) as PortName[]).filter((name) => !unused.has(name)));
  return { portBase, ports };
}
