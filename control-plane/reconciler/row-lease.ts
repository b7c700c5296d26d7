export interface RowLease {
  /** False: it is not ours any more. */
  renew: () => Promise<boolean>;
  /** Told when `renew` threw: it may succeed next time. */
  failed: (error: unknown) => void;
  /** The lease is gone: whoever has the row now goes on. */
  lost: () => void;
  leaseMs: number;
  /** When it was asked for, on the clock of `now`. */
  since: number;
  now: () => number;
}

/** Keeps the lease on a row for as long as it is looked at. It is lost when a renewal is refused, and when it has run out by this process's own clock: then nobody says any more that the row is ours. */
export function keepRowLease({ renew, failed, lost, leaseMs, since, now }: RowLease): { end(): void } {
  let ended = false;
  const runsOut = (from: number) => setTimeout(lost, Math.max(0, leaseMs - (now() - from)));
  let expiry = runsOut(since);
  const again = async () => {
    const asked = now();
    const kept = await renew().catch((error: unknown) => { failed(error); return null; });
    if (ended || kept === null) return;
    if (!kept) return lost();
    clearTimeout(expiry);
    expiry = runsOut(asked);
  };
  const renewal = setInterval(() => { void again(); }, leaseMs / 3);
  return { end: () => { ended = true; clearInterval(renewal); clearTimeout(expiry); } };
}
