import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';

interface Watch { begun: boolean; sent: boolean }
interface Message { request?: object }

const watches = new AsyncLocalStorage<Watch>();
const ofRequest = new WeakMap<object, Watch>();
let subscribed = false;

/**
 * Runs work that calls out by Node's fetch, and tells whether anything of it was put on the wire: of a request that never was, nothing can have been used. Gemini's SDK hides the cause of
 * a failed connection, so it is seen where undici says what it does (its diagnostics channels). `surelyNotSent` is false where that is not known.
 */
export function watchWire<T>(work: () => Promise<T>): { result: Promise<T>; surelyNotSent: () => boolean } {
  if (!subscribed) {
    subscribed = true;
    subscribe('undici:request:create', (message) => {
      const watch = watches.getStore();
      const { request } = message as Message;
      if (!watch || !request) return;
      watch.begun = true;
      ofRequest.set(request, watch);
    });
    subscribe('undici:client:sendHeaders', (message) => {
      const watch = ofRequest.get((message as Message).request ?? {});
      if (watch) watch.sent = true;
    });
  }
  const watch: Watch = { begun: false, sent: false };
  return { result: watches.run(watch, work), surelyNotSent: () => watch.begun && !watch.sent };
}
