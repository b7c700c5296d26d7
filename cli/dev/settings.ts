import { parseWith } from '@trademind/core';
import * as z from 'zod/mini';
import { damaged, readJson, writeJsonAtomically } from './write-atomically.ts';

export const Market = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('live') }),
  z.object({ kind: z.literal('simulated') }),
  z.object({ kind: z.literal('recorded'), path: z.string() }),
]);
export type Market = z.infer<typeof Market>;

const Ports = z.object({
  controlPlane: z.int(), dashboard: z.int(), supabase: z.int(), fly: z.int(), flyEdge: z.int(), exchange: z.int(), gemini: z.int(), postgres: z.int(),
});
export type Ports = z.infer<typeof Ports>;
export type PortName = keyof Ports;

/** What a data folder remembers between two starts. */
const Settings = z.object({
  market: z.optional(Market),
  speed: z.optional(z.number()),
  /** The base the ports were counted from; 0 = free ports were taken. */
  portBase: z.optional(z.int()),
  ports: z.optional(Ports),
  /** The template traders were stored once; what the user then does with them is left alone. */
  templatesStored: z.optional(z.boolean()),
});
export type Settings = z.infer<typeof Settings>;

export function readSettings(path: string): Settings {
  const stored = readJson(path);
  if (stored === undefined) return {};
  try {
    return parseWith(Settings, stored, 'data_damaged', path);
  } catch (error) {
    throw damaged(path, error);
  }
}

export function writeSettings(path: string, settings: Settings): void {
  writeJsonAtomically(path, settings);
}
