/** Binance: so many streams a connection may listen to. */
export const MAX_STREAMS = 1_024;
const METHODS = ['SUBSCRIBE', 'UNSUBSCRIBE', 'LIST_SUBSCRIPTIONS', 'SET_PROPERTY', 'GET_PROPERTY'];

/** What a control frame may touch of its connection. */
export interface Subscriptions {
  names(): readonly string[];
  has(stream: string): boolean;
  add(stream: string): void;
  remove(stream: string): void;
  combined: boolean;
}

type Id = number | string | null;

/** Obeys one control frame and returns the answer, in Binance's words. */
export function answerControl(text: string, subscriptions: Subscriptions): string {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return refusal(3, 'Invalid JSON: expected value at line 1 column 1', undefined);
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) return refusal(2, 'Invalid request: expected an object', undefined);
  const { method, params, id } = frame as Record<string, unknown>;
  if (!isId(id)) return refusal(2, 'Invalid request: request ID must be an unsigned integer', undefined);
  if (method === undefined) return refusal(2, `Invalid request: missing field \`method\` at line 1 column ${text.length}`, id);
  if (typeof method !== 'string' || !METHODS.includes(method)) {
    return refusal(2, `Invalid request: unknown variant \`${(typeof method === 'string' ? method : JSON.stringify(method)).slice(0, 40)}\`, expected one of ${METHODS.map((name) => `\`${name}\``).join(', ')} at line 1 column ${text.length}`, id);
  }
  if (method === 'LIST_SUBSCRIPTIONS') return result(subscriptions.names(), id);
  if (method === 'SET_PROPERTY' || method === 'GET_PROPERTY') return property(method, params, id, subscriptions);
  if (!Array.isArray(params) || params.length === 0 || !params.every((name) => typeof name === 'string')) {
    return refusal(2, 'Invalid request: params must be a list of stream names', id);
  }
  return method === 'SUBSCRIBE' ? subscribe(params as string[], id, subscriptions) : unsubscribe(params as string[], id, subscriptions);
}

function subscribe(names: string[], id: Id, subscriptions: Subscriptions): string {
  const added = new Set(names.filter((name) => !subscriptions.has(name)));
  if (subscriptions.names().length + added.size > MAX_STREAMS) return refusal(4, 'Too many subscriptions', id);
  for (const name of added) subscriptions.add(name);
  return result(null, id);
}

function unsubscribe(names: string[], id: Id, subscriptions: Subscriptions): string {
  for (const name of names) subscriptions.remove(name);
  return result(null, id);
}

function property(method: string, params: unknown, id: Id, subscriptions: Subscriptions): string {
  const [name, value] = Array.isArray(params) ? (params as unknown[]) : [];
  if (typeof name !== 'string') return refusal(2, 'Invalid request: property name must be a string', id);
  if (name !== 'combined') return refusal(0, 'Unknown property', id);
  if (method === 'GET_PROPERTY') return result(subscriptions.combined, id);
  if (typeof value !== 'boolean') return refusal(1, 'Invalid value type: expected Boolean', id);
  subscriptions.combined = value;
  return result(null, id);
}

/** An id is a whole number, a short alphanumeric text or null. */
function isId(id: unknown): id is Id {
  return id === null || (typeof id === 'number' && Number.isSafeInteger(id)) || (typeof id === 'string' && /^[\w-]{1,36}$/.test(id));
}

const result = (value: unknown, id: Id) => JSON.stringify({ result: value, id });
const refusal = (code: number, msg: string, id: Id | undefined) => JSON.stringify({ error: { code, msg }, ...(id === undefined ? {} : { id }) });
