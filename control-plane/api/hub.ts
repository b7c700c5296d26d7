/** Tells watchers of a machine in this process that something was written of it. A hint only: watchers poll as well. */
export interface Hub {
  notify(machineId: string): void;
  /** Returns how to leave. */
  watch(machineId: string, listener: () => void): () => void;
}

export function createHub(): Hub {
  const watchers = new Map<string, Set<() => void>>();
  return {
    notify: (machineId) => { for (const listener of watchers.get(machineId) ?? []) listener(); },
    watch(machineId, listener) {
      const set = watchers.get(machineId) ?? new Set();
      watchers.set(machineId, set.add(listener));
      return () => {
        set.delete(listener);
        if (set.size === 0) watchers.delete(machineId);
      };
    },
  };
}
