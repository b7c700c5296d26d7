import type { MachineKeys, ScaleTerms } from '@trademind/core';

/** What a control plane answers to a machine whose user has entrusted it with nothing and leaves the size as it is. */
const keys: MachineKeys = { keysVersion: 0, settingsVersion: 0, binance: null, gemini: null, notifications: null };
const size = { cpuKind: 'shared', cpus: 1, memoryMb: 512 } as const;
const terms: ScaleTerms = { size, region: 'sin', generation: 1, automatic: false, policy: 'balanced', bounds: { smallest: size, largest: size }, budgetUsd: null };

export const machineAnswers: Readonly<Record<string, unknown>> = { 'GET /v1/machine/keys': keys, 'GET /v1/machine/scale': terms };
