import type { lookup } from 'node:dns';

/** How a delivery ended. `retry`: try again, not before `afterMs` if that is said; `refused`: this message never; `channel_refused`: nothing goes this way until someone changes something. */
export type Delivery =
  | { readonly kind: 'sent' }
  | { readonly kind: 'retry' | 'refused' | 'channel_refused'; readonly code: string; readonly message: string; readonly nextStep?: string; readonly afterMs?: number };

export interface DeliveryContext {
  machineId: string;
  epoch: () => number;
  signal: AbortSignal;
  /** See guardedPost. */
  allowPrivate: boolean;
  telegramUrl: string;
  resolver?: typeof lookup;
}

/** No answer is waited for longer than this. */
export const TIMEOUT_MS = 10_000;

/** Try again. @param afterS seconds that the receiver asks to wait */
export const later = (code: string, message: string, afterS?: number): Delivery => ({ kind: 'retry', code, message, ...(afterS !== undefined && { afterMs: Math.max(0, afterS) * 1_000 }) });
/** Nothing goes this way until someone does what `nextStep` says. */
export const channelRefused = (code: string, message: string, nextStep: string): Delivery => ({ kind: 'channel_refused', code, message, nextStep });

/** What went wrong and what to do about it, in one. */
export const sentenceOfDelivery = ({ message, nextStep }: Exclude<Delivery, { kind: 'sent' }>): string => [message, nextStep].filter(Boolean).join(' ');

/** A number of an answer, where it is one. */
export const numberIn = (value: unknown, key: string): number | undefined => {
  const inner = (value as Record<string, unknown> | null | undefined)?.[key];
  return typeof inner === 'number' && Number.isFinite(inner) ? inner : undefined;
};

/** An answer in JSON, as far as it is an object; else an empty one. */
export function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
