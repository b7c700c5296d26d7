import { initialState, reduce, type Input, type MarketState } from './market-state.ts';

/** Holds the screen's state and tells its view of every change. */
export function createStore(): { get(): MarketState; dispatch(input: Input): void; subscribe(listener: () => void): () => void } {
  let state = initialState();
  const listeners = new Set<() => void>();
  return {
    get: () => state,
    dispatch: (input) => {
      state = reduce(state, input);
      for (const listener of listeners) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
