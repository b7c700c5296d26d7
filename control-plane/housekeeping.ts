import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AccountDatabase } from './database/account.ts';
import type { PriceBook } from './money/price-book.ts';
import type { UserSecretStore } from './secrets/user-secrets.ts';

const EVERY_MS = 30_000;
const BUDGETS_AT_ONCE = 200;
const SECRETS_AT_ONCE = 100;

export interface Housekeeping {
  /** Resolves when everything was tried once. */
  begun: Promise<void>;
  /** Ends what is under way and starts nothing more. */
  stop(): Promise<void>;
}

type Task = readonly [name: string, work: () => Promise<void>];

interface HousekeepingOptions {
  account: Pick<AccountDatabase, 'checkBudgets' | 'sweep'>;
  secrets: Pick<UserSecretStore, 'resealSome'>;
  prices: Pick<PriceBook, 'refresh'>;
  /** What the database is told once, as soon as it answers. */
  atStart: readonly Task[];
  log: Logger;
  random: () => number;
  /** A wish was written. */
  wake: () => void;
}

/**
 * What has to be looked at again and again and waits for nobody: budgets (warnings, and what their users chose), secrets under an old sealing key, answers that need not be kept any more, prices. Every replica does it;
 * the database gives each piece to one of them.
 */
export function startHousekeeping(options: HousekeepingOptions): Housekeeping {
  const { account, secrets, prices, log, random, wake } = options;
  const begun = Promise.withResolvers<void>();
  let atStart: readonly Task[] = [['prices', prices.refresh], ...options.atStart];
  const ended = new AbortController();
  const tasks: readonly Task[] = [
    ['budgets', async () => {
      const given = await account.checkBudgets(BUDGETS_AT_ONCE);
      for (const { user_id: user, percent, action } of given) log.info({ user, percent, action }, 'budget warning');
      if (given.some(({ percent, action }) => percent === 100 && action !== 'notify')) wake();
    }],
    ['secrets', async () => {
      const { done, failed } = await secrets.resealSome(SECRETS_AT_ONCE);
      if (done > 0) log.info({ done }, 'sealed anew with the current key');
      if (failed > 0) log.error({ failed }, 'secrets that no key here opens');
    }],
    ['answers', () => account.sweep()],
    ['prices', prices.refresh],
  ];

  async function done([name, work]: Task): Promise<boolean> {
    if (ended.signal.aborted) return false;
    try {
      await work();
      return true;
    } catch (error) {
      if (!ended.signal.aborted) log.warn({ err: error, task: name }, 'housekeeping failed; it is tried again');
      return false;
    }
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      const left: Task[] = [];
      for (const task of atStart) if (!(await done(task))) left.push(task);
      atStart = left;
      begun.resolve();
      for (const task of tasks) await done(task);
      if (ended.signal.aborted) return;
      // replicas that started together do not stay together
      await sleep(EVERY_MS * (0.75 + random() / 2), undefined, { signal: ended.signal }).catch(() => undefined);
    }
  }
  const running = run();
  return { begun: begun.promise, stop: () => { ended.abort(); return running; } };
}
