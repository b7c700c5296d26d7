import { codeOf, MachineTokenAnswer, parseWith, Problem, sentenceOf, TradeMindError } from '@trademind/core';
import { httpFetch, type HttpAnswer, type HttpFetch } from '../http-fetch.ts';
import type { Log } from '../log.ts';
import { Backoff, pause, type Wall } from '../time.ts';

const TIMEOUT_MS = 10_000;
const BACKOFF = { first: 500, most: 30_000 };
const SHORTEST_LIFE_MS = 10_000;

export interface MachineTokenOptions {
  controlPlaneUrl: string;
  /** The one secret that this machine was born with. Never logged. */
  secret: string;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
  fetch?: HttpFetch;
}

/**
 * The machine's database token: fetched from the control plane with the machine's secret, renewed at half its life, and at once when the
 * database says that it was revoked. While the control plane is away the old one serves until it ends.
 */
export class MachineToken {
  readonly #options: MachineTokenOptions;
  readonly #backoff: Backoff;
  #token: { value: string; expiresAt: number; renewAt: number } | undefined;
  #fetching: Promise<string> | undefined;
  #notBefore = 0;
  #problem: TradeMindError | null = null;

  constructor(options: MachineTokenOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ ...BACKOFF, random: options.wall.random });
  }

  /** Why there is no (new) token; null when all is well. */
  get problem(): TradeMindError | null {
    return this.#problem;
  }

  /** The token, fetched if there is none. Rejects with the reason when none can be had now; it does not wait out the back-off. */
  async get(): Promise<string> {
    const now = this.#options.wall.now();
    const token = this.#token;
    if (token && now < token.renewAt) return token.value;
    try {
      return await this.#fetch();
    } catch (error) {
      if (token && now < token.expiresAt) return token.value;
      throw error;
    }
  }

  /** The database refused this token: it is not used again. */
  revoked(value: string): void {
    if (this.#token?.value === value) this.#token = undefined;
  }

  /** Keeps the token fresh until the signal ends it. */
  async run(): Promise<void> {
    const { signal, wall } = this.#options;
    while (!signal.aborted) {
      await this.get().catch(() => undefined);
      const wait = (this.#token?.renewAt ?? this.#notBefore) - wall.now();
      await pause(Math.min(Math.max(wait, 250), 60_000), signal);
    }
  }

  #fetch(): Promise<string> {
    if (this.#fetching) return this.#fetching;
    if (this.#problem && this.#options.wall.now() < this.#notBefore) return Promise.reject(this.#problem);
    this.#fetching = this.#exchange().finally(() => { this.#fetching = undefined; });
    return this.#fetching;
  }

  async #exchange(): Promise<string> {
    const { wall, log } = this.#options;
    try {
      const answer = await this.#ask();
      const life = Math.max(SHORTEST_LIFE_MS, Date.parse(answer.expiresAt) - wall.epoch());
      this.#token = { value: answer.token, expiresAt: wall.now() + life, renewAt: wall.now() + life / 2 };
      if (this.#problem) log('info', 'token_fetched', 'The control plane gave a new database token.');
      this.#problem = null;
      this.#backoff.reset();
      return answer.token;
    } catch (error) {
      const known = error instanceof TradeMindError ? error : new TradeMindError({ code: codeOf(error), message: sentenceOf(error), cause: error });
      if (this.#problem?.code !== known.code && !this.#options.signal.aborted) log('warn', known.code, sentenceOf(known));
      this.#problem = known;
      this.#notBefore = wall.now() + this.#backoff.next();
      throw known;
    }
  }

  async #ask(): Promise<MachineTokenAnswer> {
    const { controlPlaneUrl, secret, signal } = this.#options;
    let response: HttpAnswer;
    let text: string;
    try {
      response = await (this.#options.fetch ?? httpFetch)(`${controlPlaneUrl.replace(/\/$/, '')}/v1/machine/token`, {
        method: 'POST', headers: { authorization: `Bearer ${secret}` }, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      text = await response.text();
    } catch (cause) {
      throw new TradeMindError({ code: 'control_plane_unreachable', message: `The control plane at ${new URL(controlPlaneUrl).host} does not answer.`, nextStep: 'The machine goes on and asks again.', cause });
    }
    if (response.ok) return parseWith(MachineTokenAnswer, jsonOf(text), 'token_answer_malformed', "The control plane's token answer");
    if (response.status === 401 || response.status === 403) {
      throw new TradeMindError({ code: 'machine_secret_refused', message: 'The control plane does not accept this machine\'s secret.', nextStep: 'Deploy the machine again, so that it is born with a valid one.' });
    }
    const problem = Problem.safeParse(jsonOf(text));
    throw new TradeMindError({
      // Its words are not repeated: an answer may hold what was asked, and that is the secret.
      code: problem.success && /^[a-z][a-z0-9_]{0,63}$/.test(problem.data.code) ? problem.data.code : 'control_plane_failing',
      message: `The control plane answered HTTP ${response.status}.`, nextStep: 'The machine goes on and asks again.',
    });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
