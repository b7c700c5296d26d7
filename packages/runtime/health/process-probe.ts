import { availableParallelism, totalmem } from 'node:os';
import { monitorEventLoopDelay, performance, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { CrashReport } from '@trademind/core';
import { deniedCpuSeconds } from './denied-cpu.ts';

/** The delay is sampled so often (ms); the histogram shows this much even when nothing is late. */
const RESOLUTION_MS = 20;

/** What the process used since the look before, and what there is of it. Shares: 1 = all that the machine has. */
export interface ProcessMeasures {
  /** When the look ended (ms of the process's own clock, monotonic), and over how long it went. */
  at: number;
  overMs: number;
  vcpus: number;
  /** CPU used, in cores: 0.25 = a quarter of one; and as a share of all vCPUs. Worker threads count. */
  cpuCores: number;
  cpuUsed: number;
  /** CPU that was wanted and withheld by the host, in cores; undefined where the system does not tell. */
  deniedCores: number | undefined;
  rssBytes: number;
  memoryLimitBytes: number;
  heapBytes: number;
  heapLimitBytes: number;
  /** Delay of the event loop, 99th percentile and worst, ms. */
  loopDelayMs: number;
  loopDelayMaxMs: number;
  /** Share of the time that went into garbage collection on the main thread. */
  gcShare: number;
}

/** Reads what this process uses. Its clock is the process's own: CPU time is spent in it, whatever time a replay runs in. */
export class ProcessProbe {
  readonly #memoryLimitBytes: number;
  readonly #loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #collections: PerformanceObserver;
  #gcMs = 0;
  #gcTotalMs = 0;
  #at = performance.now();
  #cpu = process.cpuUsage();
  #denied = deniedCpuSeconds();

  /** @param memoryLimitMb what the machine has; the control group's limit or the computer's memory unless given */
  constructor(memoryLimitMb?: number) {
    this.#memoryLimitBytes = memoryLimitMb === undefined ? memoryLimit() : memoryLimitMb * 1_048_576;
    this.#collections = new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) { this.#gcMs += duration; this.#gcTotalMs += duration; } });
    this.#collections.observe({ entryTypes: ['gc'] });
    this.#loop.enable();
  }

  /** Time spent in garbage collection since the start, ms. */
  get gcTotalMs(): number {
    return this.#gcTotalMs;
  }

  /** Measures since the last look. */
  look(): ProcessMeasures {
    const now = performance.now();
    const overMs = Math.max(1, now - this.#at);
    const used = process.cpuUsage(this.#cpu);
    const denied = deniedCpuSeconds();
    const vcpus = availableParallelism();
    const cpuCores = (used.user + used.system) / 1_000 / overMs;
    const heap = getHeapStatistics();
    const delay = (ns: number): number => (Number.isFinite(ns) ? Math.max(0, ns / 1e6 - RESOLUTION_MS) : 0);
    const measures: ProcessMeasures = {
      at: now, overMs, vcpus, cpuCores, cpuUsed: cpuCores / vcpus,
      deniedCores: denied === undefined || this.#denied === undefined ? undefined : Math.max(0, ((denied - this.#denied) * 1_000) / overMs),
      rssBytes: process.memoryUsage.rss(), memoryLimitBytes: this.#memoryLimitBytes, heapBytes: heap.used_heap_size, heapLimitBytes: heap.heap_size_limit,
      loopDelayMs: delay(this.#loop.percentile(99)), loopDelayMaxMs: delay(this.#loop.max), gcShare: Math.min(1, this.#gcMs / overMs),
    };
    this.#at = now;
    this.#cpu = process.cpuUsage();
    this.#denied = denied;
    this.#gcMs = 0;
    this.#loop.reset();
    return measures;
  }

  stop(): void {
    this.#collections.disconnect();
    this.#loop.disable();
  }
}

/** Memory in use and what there is of it, MB. */
export function memoryNow(): CrashReport['memory'] {
  const mb = (bytes: number): number => Math.round(bytes / 104_857.6) / 10;
  const heap = getHeapStatistics();
  return { rssMb: mb(process.memoryUsage.rss()), limitMb: mb(memoryLimit()), heapMb: mb(heap.used_heap_size), heapLimitMb: mb(heap.heap_size_limit) };
}

/** A control group without a limit answers with a number beyond all memory, or 0. */
function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}
