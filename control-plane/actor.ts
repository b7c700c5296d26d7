import { AsyncLocalStorage } from 'node:async_hooks';

/** For whom the control plane acts: what the audit log names. `attempt`: at a request with an Idempotency-Key; what it asks for the database does once. */
export interface Actor { kind: 'user' | 'operator' | 'token' | 'machine' | 'system'; id: string | null; via: string | null; requestId: string | null; attempt: string | null }

const current = new AsyncLocalStorage<Actor>();

/** Runs `work`; whatever the database is asked for meanwhile is asked for in this actor's name. The actor may be filled in while it runs. */
export const actFor = <T>(actor: Actor, work: () => T): T => current.run(actor, work);

/** A fetch that tells the database for whom it is called. The database believes it from the service key alone. */
export function tellingActor(call: typeof fetch): typeof fetch {
  return (input, init) => {
    const actor = current.getStore();
    if (actor === undefined) return call(input, init);
    const headers = new Headers(init?.headers);
    headers.set('x-trademind-actor', JSON.stringify({ kind: actor.kind, id: actor.id, via: actor.via, request_id: actor.requestId }));
    if (actor.attempt !== null) headers.set('x-trademind-attempt', actor.attempt);
    return call(input, { ...init, headers });
  };
}
