import { isObject } from './request.ts';

/** What a prompt says in a form that can be computed with: names as lower-case letters and digits. */
export interface Facts {
  numbers: ReadonlyMap<string, number>;
  lists: ReadonlyMap<string, readonly number[]>;
  texts: ReadonlyMap<string, string>;
}

/** `stopLoss`, `stop_loss`, "Stop loss" → stoploss. */
export function nameOf(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Reads every JSON object and every `name: number` of a prompt. The first mention of a name counts. */
export function readFacts(prompt: string): Facts {
  const numbers = new Map<string, number>();
  const lists = new Map<string, number[]>();
  const texts = new Map<string, string>();
  const walk = (name: string, value: unknown): void => {
    if (typeof value === 'number' || (typeof value === 'string' && isNumeric(value))) put(numbers, nameOf(name), Number(value));
    else if (typeof value === 'string') put(texts, nameOf(name), value);
    else if (Array.isArray(value)) {
      const list = value.map(Number);
      if (list.length > 0 && list.every(Number.isFinite)) put(lists, nameOf(name), list);
      else value.forEach((item) => walk('', item));
    } else if (isObject(value)) for (const [key, inner] of Object.entries(value)) walk(key, inner);
  };
  for (const object of jsonObjects(prompt)) walk('', object);
  for (const match of prompt.matchAll(/([A-Za-z][\w ]{0,30}?)(?:\(\d+\))?\s*[:=]\s*(-?\d+(?:\.\d+)?)(?![\d.]*[\]}"\w])/g)) put(numbers, nameOf(match[1] as string), Number(match[2]));
  return { numbers, lists, texts };
}

function put<T>(map: Map<string, T>, name: string, value: T): void {
  if (name !== '' && !map.has(name)) map.set(name, value);
}

const isNumeric = (text: string) => text.trim() !== '' && Number.isFinite(Number(text));

/** The outermost JSON objects that stand in a text. */
function jsonObjects(text: string): unknown[] {
  const found: unknown[] = [];
  for (let at = text.indexOf('{'); at >= 0; at = text.indexOf('{', at)) {
    const end = closingBrace(text, at);
    if (end < 0) break;
    try {
      found.push(JSON.parse(text.slice(at, end + 1)));
      at = end + 1;
    } catch {
      at += 1;
    }
  }
  return found;
}

function closingBrace(text: string, from: number): number {
  let depth = 0;
  let quoted = false;
  for (let i = from; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char === '\\') i++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '{') depth++;
    else if (char === '}' && --depth === 0) return i;
  }
  return -1;
}
