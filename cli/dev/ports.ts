import { createServer } from 'node:net';
import { TradeMindError } from '@trademind/core';
import { portOwner } from './port-owner.ts';
import type { PortName, Ports } from './settings.ts';

export const DEFAULT_PORT_BASE = 4270;
/** Free ports are taken from below those that systems hand out by themselves (Linux from 32768, others from 49152): nobody who asks for any port gets one between this look and its use, seconds later. */
const RANGE = { from: 15_000, to: 32_768 };
const TRIES = 1_000;

/** Which port stands where above the base, and what it is for. */
export const PORT_PLAN: readonly { name: PortName; offset: number; what: string }[] = [
  { name: 'controlPlane', offset: 0, what: 'the control plane' },
  { name: 'dashboard', offset: 1, what: 'the page' },
  { name: 'supabase', offset: 2, what: 'the Supabase gateway' },
  { name: 'fly', offset: 3, what: 'the Fly stand-in' },
  { name: 'flyEdge', offset: 4, what: 'the machines (edge of the Fly stand-in)' },
  { name: 'exchange', offset: 5, what: 'the exchange' },
  { name: 'gemini', offset: 6, what: 'the Gemini stand-in' },
  { name: 'postgres', offset: 7, what: 'PostgreSQL' },
];

export function portsFrom(base: number): Ports {
  return Object.fromEntries(PORT_PLAN.map(({ name, offset }) => [name, base + offset])) as Ports;
}

/** True when nobody listens on this loopback port, and it is not forbidden. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => { server.close(() => resolve(true)); });
  });
}

/** A port that is free now; it is not kept until somebody listens on it. */
export async function freePort(random: () => number = Math.random): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = RANGE.from + Math.floor(random() * (RANGE.to - RANGE.from));
    if (await isFree(port)) return port;
  }
  throw new TradeMindError({ code: 'port_taken', message: `No port from ${RANGE.from} to ${RANGE.to} is free on the loopback interface.` });
}

/** Free ports for everything; those in `keep` are used again when they are still free. */
export async function freePorts(keep?: Ports, random: () => number = Math.random): Promise<Ports> {
  const chosen: Partial<Ports> = {};
  const taken = new Set<number>();
  for (const { name } of PORT_PLAN) {
    let port = keep && (await isFree(keep[name])) ? keep[name] : await freePort(random);
    while (taken.has(port)) port = await freePort(random);
    taken.add(port);
    chosen[name] = port;
  }
  return chosen as Ports;
}

/** Throws `port_taken` for the first of the named ports that is not free, saying what it is for and, where the system tells, who holds it. */
export async function requireFree(ports: Ports, needed: readonly PortName[] = PORT_PLAN.map(({ name }) => name)): Promise<void> {
  const wanted = PORT_PLAN.filter(({ name }) => needed.includes(name));
  const free = await Promise.all(wanted.map(({ name }) => isFree(ports[name])));
  const first = wanted.find((_, index) => !free[index]);
  if (!first) return;
  const port = ports[first.name];
  const owner = await portOwner(port);
  const by = owner ? ` by ${owner.command ? `${owner.command} (pid ${owner.pid})` : `pid ${owner.pid}`}` : '';
  throw new TradeMindError({
    code: 'port_taken',
    message: `Port ${port}, wanted for ${first.what}, is taken${by}.`,
    field: '--port-base',
    nextStep: 'End that program, or choose other ports with --port-base N (0 takes free ones).',
  });
}
