/**
 * Bottleneck (2.19.5) remembers by the wall clock when its last job was let through, and lets no other through before: with a clock that was set back meanwhile, all would wait for as long as it was set back.
 * There is no public way to tell it otherwise. For limiters without `minTime`; to be called before whatever may let a job through.
 */
export function forgetLastRun(limiter: object): void {
  const { _store: store } = limiter as { _store?: { _nextRequest?: number } };
  if (typeof store?._nextRequest !== 'number') throw new Error('This Bottleneck keeps its time elsewhere.');
  store._nextRequest = 0;
}
