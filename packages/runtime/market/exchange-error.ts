import { TradeMindError } from '@trademind/core';

/** Binance bans for 2 minutes to 3 days: whatever says more is no time to wait. */
export const LONGEST_REFUSAL_MS = 3 * 86_400_000;

/** What an HTTP status of the exchange means, in words, with what to do; the same for REST and for a refused WebSocket. */
export function exchangeRefusal(status: number, detail: string): TradeMindError {
  switch (status) {
    case 451:
      return new TradeMindError({
        code: 'exchange_location_refused', message: 'The exchange refuses this location (HTTP 451).',
        nextStep: 'Run the machine in a region outside the United States (e.g. sin), or name another exchange host with BINANCE_REST_URL and BINANCE_STREAM_URL.',
      });
    case 418:
      return new TradeMindError({ code: 'exchange_banned', message: 'The exchange has banned this address for a while (HTTP 418).', nextStep: 'Nothing is asked until the ban ends.' });
    case 429:
      return new TradeMindError({ code: 'exchange_limited', message: 'The exchange says that too much was asked (HTTP 429).', nextStep: 'Asking goes on when the exchange allows it.' });
    case 403:
      return new TradeMindError({ code: 'exchange_forbidden', message: 'The exchange refused the request (HTTP 403, its firewall).', nextStep: 'It is tried again after a pause; check proxies and the host name if it stays.' });
    default:
      return new TradeMindError({ code: status >= 500 ? 'exchange_failing' : 'exchange_refused', message: `The exchange answered HTTP ${status}${detail ? `: ${detail}` : ''}.` });
  }
}

/** The exchange could not be reached at all. */
export function exchangeUnreachable(host: string, cause: unknown): TradeMindError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const why = inner instanceof Error ? ((inner as { code?: string }).code ?? inner.name) : 'unknown';
  return new TradeMindError({ code: 'exchange_unreachable', message: `The exchange at ${host} does not answer (${why}).`, cause });
}
