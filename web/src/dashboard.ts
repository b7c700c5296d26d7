import { codeOf, isReachable, TradeMindError, type MachineView } from '@trademind/core';
import { emptyView, type CloudWebSocketClient, type FeedTicket, type FeedView } from '@trademind/feed-client';
import type { Auth, SignedIn } from './auth.ts';
import type { ControlPlane } from './control-plane.ts';

export interface Trouble { code: string; message: string; nextStep: string | null }

export type DashboardState =
  | { kind: 'signing-in' }
  | { kind: 'signed-out'; notice: string | null }
  /** `machine` is undefined until the control plane has answered, null when the user has none. */
  | { kind: 'signed-in'; who: SignedIn; machine: MachineView | null | undefined; trouble: Trouble | null; feed: FeedView };

export interface DashboardPorts {
  auth: Auth;
  controlPlane: ControlPlane;
  createFeed: (getTicket: () => Promise<FeedTicket>) => CloudWebSocketClient;
  /** The part of the address after `#`; it is taken out of the address before it is used. */
  takeFragment: () => string;
  /** Runs later, many requests as one: at the next frame that is painted. */
  soon: (run: () => void) => void;
  /** How often the control plane is asked, in ms: while something is expected, and when all is live. */
  pollMs?: { waiting: number; live: number };
}

/**
 * The page's state and what may be done to it: signs in, watches the user's machine at the control plane, and follows its feed.
 * The control plane is asked level-based: missing an answer changes nothing but the age of what is shown.
 */
export class Dashboard {
  readonly #ports: DashboardPorts;
  readonly #listeners = new Set<() => void>();
  readonly #pollMs: { waiting: number; live: number };
  #state: DashboardState = { kind: 'signing-in' };
  #feed: { machineId: string; client: CloudWebSocketClient } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #told = false;

  constructor(ports: DashboardPorts) {
    this.#ports = ports;
    this.#pollMs = ports.pollMs ?? { waiting: 3_000, live: 15_000 };
  }

  readonly get = (): DashboardState => this.#state;
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Opens with the link in the address, or with the session that was kept. */
  async open(): Promise<void> {
    const link = new URLSearchParams(this.#ports.takeFragment());
    this.#ports.auth.onSignedOut(() => this.#leave(null));
    const tokenHash = link.get('token_hash');
    try {
      const who = tokenHash === null ? await this.#ports.auth.current() : await this.#ports.auth.openLink(tokenHash);
      if (who) this.#enter(who);
      else this.#leave(null);
    } catch (error) {
      const kept = tokenHash === null ? null : await this.#ports.auth.current().catch(() => null);
      if (kept) this.#enter(kept);
      else this.#leave(error instanceof Error ? error.message : String(error));
    }
  }

  /** Rejects with an Error whose message is for the user. */
  async signIn(email: string, password: string): Promise<void> {
    this.#enter(await this.#ports.auth.signIn(email, password));
  }

  async signOut(): Promise<void> {
    this.#leave(null);
    await this.#ports.auth.signOut();
  }

  async startMachine(): Promise<void> {
    if (this.#state.kind !== 'signed-in' || !this.#state.machine) return;
    await this.#ask(this.#ports.controlPlane.start(this.#state.machine.id));
  }

  /** Looks again at once: at the control plane, and at a lost line. */
  retryNow(): void {
    this.#feed?.client.retryNow();
    this.#poll(0);
  }

  #enter(who: SignedIn): void {
    this.#set({ kind: 'signed-in', who, machine: undefined, trouble: null, feed: emptyView() });
    this.#poll(0);
  }

  #leave(notice: string | null): void {
    clearTimeout(this.#timer);
    this.#follow(null);
    if (this.#state.kind !== 'signed-out' || notice !== null) this.#set({ kind: 'signed-out', notice });
  }

  #poll(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(this.#ports.controlPlane.machine()), ms);
  }

  /** Shows what the control plane answers and follows the machine in it. */
  async #ask(answer: Promise<MachineView | null>): Promise<void> {
    let next: { machine?: MachineView | null; trouble: Trouble | null };
    try {
      next = { machine: await answer, trouble: null };
    } catch (error) {
      if (codeOf(error) === 'signed_out') {
        this.#leave('Your session has ended. Sign in again.');
        return;
      }
      next = { trouble: troubleOf(error) };
    }
    if (this.#state.kind !== 'signed-in') return;
    this.#set({ ...this.#state, ...next });
    if (next.machine !== undefined) this.#follow(next.machine);
    this.#poll(this.#settled() ? this.#pollMs.live : this.#pollMs.waiting);
  }

  #settled(): boolean {
    return this.#state.kind === 'signed-in' && this.#state.feed.state.phase === 'live' && this.#state.machine?.phase === 'screening';
  }

  /**
   * Follows a machine's feed from the moment the control plane saw it reachable (a name that is asked for too early is remembered as absent),
   * and lets go only when it is meant to be gone: what it misses in between, the client waits for.
   */
  #follow(machine: MachineView | null): void {
    const ended = !machine || machine.desired.state !== 'started' || machine.phase === 'stopped';
    if (this.#feed && (ended || this.#feed.machineId !== machine.id)) {
      void this.#feed.client.close('left');
      this.#feed = undefined;
      if (this.#state.kind === 'signed-in') this.#set({ ...this.#state, feed: emptyView() });
    }
    if (ended || this.#feed || !isReachable(machine.phase)) return;
    const { id } = machine;
    const client = this.#ports.createFeed(() => this.#ports.controlPlane.ticket(id));
    client.subscribe(() => {
      if (this.#feed?.client !== client || this.#state.kind !== 'signed-in') return;
      const before = this.#state.feed;
      this.#set({ ...this.#state, feed: client.view });
      // The machine's own word comes first; the control plane's view of it should not lag behind.
      if (before.state.phase !== client.state.phase || before.status?.phase !== client.status?.phase) this.#poll(500);
    });
    this.#feed = { machineId: id, client };
    client.connect();
  }

  #set(state: DashboardState): void {
    const sameKind = state.kind === this.#state.kind;
    this.#state = state;
    if (!sameKind) return this.#tell();
    if (this.#told) return;
    this.#told = true;
    this.#ports.soon(() => this.#tell());
  }

  #tell(): void {
    this.#told = false;
    for (const listener of this.#listeners) listener();
  }
}

function troubleOf(error: unknown): Trouble {
  const nextStep = error instanceof TradeMindError ? (error.nextStep ?? null) : null;
  return { code: codeOf(error), message: error instanceof Error ? error.message : String(error), nextStep };
}
