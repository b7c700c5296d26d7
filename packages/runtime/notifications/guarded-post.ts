import { lookup as resolve, type LookupAddress } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { codeOf, TradeMindError } from '@trademind/core';
import { isPublicAddress } from './public-address.ts';

/** Of an answer nobody needs more. */
const MOST_BYTES = 16 * 1_024;

export interface PostOptions {
  headers: Readonly<Record<string, string>>;
  body: string;
  timeoutMs: number;
  signal: AbortSignal;
  /** Private addresses and plain http are allowed too: for receivers in one's own network. */
  allowPrivate: boolean;
  /** How names are looked up; the system's way unless given. */
  resolver?: typeof resolve;
}

export interface PostAnswer { status: number; retryAfterS: number | undefined; body: string }

/**
 * Posts to an address that a user has given. Refused, with `address_refused`, is whatever does not lie in the public internet; the address is
 * checked at the moment of connecting, so that a name that answers differently the second time gains nothing. Redirects are not followed.
 * Rejects with a TradeMindError whose text never holds the address's path.
 */
export function guardedPost(address: string, options: PostOptions): Promise<PostAnswer> {
  const url = new URL(address);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!options.allowPrivate) {
    if (url.protocol !== 'https:') return Promise.reject(refused(`${url.host} is reached by plain http.`));
    // A host that is an address already is never looked up.
    if (isIP(host) !== 0 && !isPublicAddress(host)) return Promise.reject(refused(`${host} is not an address of the public internet.`));
  }
  return new Promise((fulfil, reject) => {
    const fail = (error: unknown): void => reject(error instanceof TradeMindError ? error : unreachable(url.host, error, options.signal));
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(url, {
      method: 'POST', signal, agent: false, headers: { ...options.headers, 'content-length': Buffer.byteLength(options.body) },
      lookup: guardedLookup(options.resolver ?? resolve, options.allowPrivate),
    }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const done = (): void => fulfil({ status: response.statusCode ?? 0, retryAfterS: seconds(response.headers['retry-after']), body: Buffer.concat(chunks).toString('utf8') });
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= MOST_BYTES) chunks.push(chunk);
        else { done(); request.destroy(); }
      });
      response.on('end', done);
      response.on('error', fail);
    });
    request.on('error', fail);
    request.end(options.body);
  });
}

/** Looks a name up and keeps the public addresses of it; a name without any is refused. */
export function guardedLookup(resolver: typeof resolve, allowPrivate: boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolver(hostname, { family: options.family ?? 0, all: true }, (error, addresses: LookupAddress[]) => {
      if (error) return callback(error, '', 0);
      const usable = addresses.filter(({ address }) => allowPrivate || isPublicAddress(address));
      const first = usable[0];
      if (first === undefined) return callback(refused(`${hostname} leads to an address that is not of the public internet.`), '', 0);
      if (options.all === true) return callback(null, usable);
      return callback(null, first.address, first.family);
    });
  };
}

const refused = (why: string): TradeMindError => new TradeMindError({ code: 'address_refused', field: 'url', message: `The webhook is not called: ${why}`, nextStep: 'Give an https:// address in the public internet.' });

function unreachable(host: string, error: unknown, signal: AbortSignal): TradeMindError {
  if (signal.aborted) return new TradeMindError({ code: 'aborted', message: `The call to ${host} was ended.` });
  const timedOut = (error as Error | null)?.name === 'TimeoutError' || codeOf(error) === 'ABORT_ERR';
  return new TradeMindError({ code: timedOut ? 'receiver_timeout' : 'receiver_unreachable', message: timedOut ? `${host} does not answer in time.` : `${host} cannot be reached (${codeOf(error)}).`, nextStep: 'It is tried again.' });
}

/** `Retry-After` in seconds; a date is not worth the trouble. */
function seconds(header: string | undefined): number | undefined {
  const value = Number(header);
  return header !== undefined && Number.isFinite(value) && value >= 0 ? value : undefined;
}
