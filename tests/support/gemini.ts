import { startGemini, type GeminiOptions } from '../../local-cloud/gemini/start.ts';
import { readFacts } from '../../local-cloud/gemini/facts.ts';
import { answerSchema as fill } from '../../local-cloud/gemini/schema-answer.ts';
import { viewOf } from '../../local-cloud/gemini/view.ts';
import type { Fault } from '../../local-cloud/gemini/faults.ts';
import type { JournalEntry } from '../../local-cloud/gemini/journal.ts';

export interface TestGemini {
  url: string;
  key: string;
  setFaults(faults: readonly Fault[]): Promise<void>;
  /** Every call that reached it, in its order. */
  journal(): Promise<JournalEntry[]>;
  /** Tokens of all that it answered, as it counted them. */
  tokens(): Promise<number>;
  close(): Promise<void>;
}

/** The Gemini stand-in on a free port, without latency and without a limit of its own unless asked for. */
export async function startTestGemini(options: Partial<GeminiOptions> = {}): Promise<TestGemini> {
  const key = 'key-of-a-test';
  const standIn = await startGemini({ port: 0, token: key, latencyMs: 0, requestsPerMinute: 1_000_000, ...options });
  const ask = async (path: string, init?: RequestInit) => {
    const response = await fetch(standIn.url + path, { ...init, headers: { 'x-goog-api-key': key, 'content-type': 'application/json' } });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  };
  return {
    url: standIn.url, key, close: standIn.close,
    setFaults: async (faults) => { await ask('/_stand-in/faults', { method: 'PUT', body: JSON.stringify(faults) }); },
    tokens: async () => {
      const { promptTokens, outputTokens } = (await ask('/_stand-in/usage')) as { promptTokens: number; outputTokens: number };
      return promptTokens + outputTokens;
    },
    journal: async () => ((await ask('/_stand-in/journal')) as { entries: JournalEntry[] }).entries,
  };
}

/** The most calls that the journal saw at once, and in any stretch of `perMs`. */
export function peaks(journal: readonly JournalEntry[], perMs: number): { atOnce: number; inWindow: number } {
  const starts = journal.map(({ at }) => at).sort((a, b) => a - b);
  const inWindow = starts.map((at, index) => index + 1 - starts.findIndex((other) => other > at - perMs));
  const atOnce = journal.map(({ at }) => journal.filter((other) => other.at <= at && (other.endedAt ?? Infinity) > at).length);
  return { atOnce: Math.max(0, ...atOnce), inWindow: Math.max(0, ...inWindow) };
}

/** What the stand-in answers to a schema, for a prompt and a seed. */
export function answerSchema(schema: Readonly<Record<string, unknown>>, prompt: string, seed: string): unknown {
  const facts = readFacts(prompt);
  return fill(schema, { facts, view: viewOf(facts), seed });
}
