import type { Screener } from '@trademind/engine';
import { KernelMemory } from '../../packages/engine/kernels/kernel-memory.ts';

/** What a screener holds in shared memory, which Node counts neither to the heap nor to the array buffers: the rings of candles, and what the kernels work on. In MB. */
export function sharedMemory({ candles }: Screener): number {
  let bytes = KernelMemory.ofThread()?.used ?? 0;
  for (const { series } of candles.all()) bytes += series.memory.byteLength;
  return bytes / 2 ** 20;
}
