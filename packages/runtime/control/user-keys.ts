import { codeOf, MachineKeys, sentenceOf, type NotificationSettings } from '@trademind/core';
import { DEFAULT_CAPS, DEFAULT_MODEL, DEFAULT_SHARE, type AccessState, type Caps } from '../analysis/analyzer-options.ts';
import type { Log } from '../log.ts';
import { Nudge } from '../nudge.ts';
import { Backoff, type Wall } from '../time.ts';
import type { BeatNews } from './beat.ts';
import type { ControlPlane } from './control-plane.ts';

const BACKOFF = { first: 1_000, most: 60_000 };
/** Without news it is looked at again so often. */
const AGAIN_MS = 3_600_000;

export interface UserKeysOptions {
  controlPlane: Pick<ControlPlane, 'call' | 'url'>;
  /** Shown to the platform's own Gemini instead of a key. */
  secret: string;
  /** A key that the machine was given at birth goes before all others. */
  own?: { apiKey?: string | undefined; baseUrl?: string | undefined; model?: string | undefined } | undefined;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
  /** Takes in what must never be told. */
  secrets: Pick<Set<string>, 'add'>;
  /** They are known for the first time, or others than before. */
  onChange: () => void;
}

/**
 * What the user entrusted to the control plane for this machine: keys and notification settings. Fetched at boot and whenever the beat says that they changed; in memory only, in no
 * log and no file. A control plane that is away leaves what is known as it is.
 */
export class UserKeys {
  readonly #options: UserKeysOptions;
  readonly #nudge: Nudge;
  readonly #backoff: Backoff;
  #keys: MachineKeys | undefined;
  #heard = { keysVersion: 0, settingsVersion: 0 };
  #problem: { code: string; message: string } | null = null;

  constructor(options: UserKeysOptions) {
    this.#options = options;
    this.#nudge = new Nudge(options.signal);
    this.#backoff = new Backoff({ ...BACKOFF, random: options.wall.random });
  }

  /** Why they could not be fetched; null when all is well. */
  get problem(): { code: string; message: string } | null {
    return this.#problem;
  }

  /** The versions that the beat tells. */
  heard({ keys_version: keysVersion, settings_version: settingsVersion }: Pick<BeatNews, 'keys_version' | 'settings_version'>): void {
    this.#heard = { keysVersion, settingsVersion };
    if (this.#isBehind()) this.#nudge.now();
  }

  /** Follows until the signal ends it. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const wait = await this.#fetch();
      await this.#nudge.wait(wait);
    }
  }

  /** How the model is reached: by the user's own key, or at the platform's with the machine's secret. */
  access(): AccessState {
    const { own, secret } = this.#options;
    if (own?.apiKey) return { state: 'ready', apiKey: own.apiKey, baseUrl: own.baseUrl };
    if (this.#keys === undefined) return { state: 'waiting' };
    const { gemini } = this.#keys;
    if (gemini === null) return { state: 'none' };
    return gemini.source === 'user' ? { state: 'ready', apiKey: gemini.apiKey, baseUrl: own?.baseUrl } : { state: 'ready', apiKey: secret, baseUrl: gemini.baseUrl };
  }

  /** The model of traders that name none: the machine's own, as far as the platform offers it. */
  model(): string {
    const { model = DEFAULT_MODEL } = this.#options.own ?? {};
    const platform = this.#platform();
    return platform === undefined || platform.models.length === 0 || platform.models.includes(model) ? model : platform.models[0]!;
  }

  /** What the user set, else the default; with the platform's key never more money than the plan has, and without a setting that alone. */
  caps(): Caps {
    const own = this.#keys?.analysis;
    const usd = this.#platform()?.limits.usdPerDay;
    if (usd == null) return own ?? DEFAULT_CAPS;
    return { tokensPerDay: own?.tokensPerDay ?? Infinity, usdPerDay: Math.min(usd, own?.usdPerDay ?? Infinity) };
  }

  share(): { concurrency: number; calls: number } {
    const limits = this.#platform()?.limits;
    return limits === undefined ? DEFAULT_SHARE : { concurrency: Math.min(DEFAULT_SHARE.concurrency, limits.concurrency), calls: Math.min(DEFAULT_SHARE.calls, limits.callsPerMinute) };
  }

  notifications(): NotificationSettings {
    return this.#keys?.notifications ?? { channels: [], rules: [] };
  }

  #platform() {
    const { own } = this.#options;
    const gemini = own?.apiKey ? undefined : this.#keys?.gemini;
    return gemini?.source === 'platform' ? gemini : undefined;
  }

  #isBehind(): boolean {
    return this.#keys === undefined || this.#keys.keysVersion < this.#heard.keysVersion || this.#keys.settingsVersion < this.#heard.settingsVersion;
  }

  async #fetch(): Promise<number> {
    const { controlPlane, log, signal, secrets, onChange } = this.#options;
    try {
      const before = JSON.stringify(this.#keys);
      this.#keys = await controlPlane.call('GET', '/v1/machine/keys', MachineKeys, "The control plane's answer about keys");
      for (const secret of secretsOf(this.#keys)) secrets.add(secret);
      this.#problem = null;
      if (JSON.stringify(this.#keys) !== before) {
        log('info', 'keys_fetched', 'The keys and notification settings of the user are there.');
        onChange();
      }
      // Its answer may come from before the change that the beat told of.
      if (this.#isBehind()) return this.#backoff.next();
      this.#backoff.reset();
      return AGAIN_MS;
    } catch (error) {
      if (signal.aborted) return 0;
      if (this.#problem?.code !== codeOf(error)) log('warn', codeOf(error), `The user's keys could not be fetched: ${sentenceOf(error)}`);
      this.#problem = { code: codeOf(error), message: `The user's keys could not be fetched: ${sentenceOf(error)}` };
      return this.#backoff.next();
    }
  }
}

/** All that is secret in what the user entrusted: keys, bots' tokens, addresses that anybody who has them can post to. */
function secretsOf({ binance, gemini, notifications }: MachineKeys): string[] {
  const channels = (notifications?.channels ?? []).flatMap((channel) => (channel.kind === 'telegram' ? [channel.botToken] : [channel.url, channel.secret]));
  return [binance?.apiKey, binance?.secretKey, gemini?.source === 'user' ? gemini.apiKey : undefined, ...channels].filter((secret) => secret !== undefined);
}
