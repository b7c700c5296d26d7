import { TradeMindError } from '@trademind/core';
import { isMap, isNode, isPair, isScalar, LineCounter, parseAllDocuments, visit, type Document } from 'yaml';

/** An error at a place in a file: the line is shown with a caret below it. */
export class FileError extends TradeMindError {
  readonly frame: string | undefined;

  constructor(init: ConstructorParameters<typeof TradeMindError>[0] & { frame?: string | undefined }) {
    super(init);
    this.frame = init.frame;
  }
}

/** A place in a file, from 1. */
interface Place { line: number; column: number; frame: string }

export interface ParsedText {
  readonly value: unknown;
  /** Where the value under a path stands; the key itself with `key`. Of a path that is not there, what surrounds it. */
  place(path: readonly PropertyKey[], key?: boolean): Place;
}

/** What YAML takes for a mark of its own at the beginning of a text. */
const MARKS = /^[!&*|>%@`[{]/;
const WIDTH = 100;

/**
 * Parses YAML, of which JSON is a part, so that errors can point at a place: each document in the text (they are parted by `---`). Throws FileError, code
 * `trader_invalid`, for what is no YAML, for a key that stands twice, and for whatever YAML would take for something else than text without saying so.
 */
export function parseYaml(text: string, file: string): ParsedText[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    const begin = lines.lineStarts[line - 1] ?? 0;
    const source = text.slice(begin, text.indexOf('\n', begin) < 0 ? undefined : text.indexOf('\n', begin)).trimEnd();
    const from = Math.max(0, col - 1 - WIDTH / 2);
    return { line, column: col, frame: `${source.slice(from, from + WIDTH).replaceAll(/\p{C}/gu, ' ')}\n${' '.repeat(col - 1 - from)}^` };
  };
  const refuse = (offset: number, detail: string, nextStep?: string): FileError => {
    const { line, column, frame } = placeAt(offset);
    return new FileError({ code: 'trader_invalid', field: 'file', message: `${file}, line ${line}, column ${column}: ${detail}`, nextStep, frame });
  };
  return (Array.isArray(documents) ? documents : []).map((document: Document.Parsed) => {
    // A warning is a tag or a directive that YAML does not know: nearly always an expression that begins with one of its marks.
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem !== undefined) {
      const line = text.slice(0, problem.pos[0]).split('\n').at(-1)! + text.slice(problem.pos[0]).split('\n')[0]!;
      const marked = MARKS.test(line.replace(/^[^:]*:\s*/, ''));
      throw refuse(problem.pos[0], `${problem.message.replace(/\.$/, '')}.`, marked ? "Put an expression that begins with ! or another mark of YAML in quotes: '!(close > open)'." : undefined);
    }
    visit(document, {
      Pair: (_key, { key }) => {
        const at = isNode(key) ? (key.range?.[0] ?? 0) : 0;
        if (!isScalar(key)) throw refuse(at, 'a key must be a word.');
        if (key.value === '__proto__') throw refuse(at, 'a name cannot be __proto__.');
      },
      Alias: (_key, { source, range }) => {
        throw refuse(range?.[0] ?? 0, `*${source} refers to another place; here everything is written out.`, "Put an expression that begins with * in quotes, and give what recurs a name in `let`.");
      },
    });
    return { value: document.toJS() as unknown, place: (path, key) => placeAt(offsetOf(document, path, key ?? false)) };
  });
}

/** Where in the text the value (or the key) under a path begins: the deepest part of the path that is there. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[], key: boolean): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const [index, step] of path.entries()) {
    const pair: unknown = isMap(node) ? node.items.find((one) => isScalar(one.key) && String(one.key.value) === String(step)) : undefined;
    const next = isPair(pair) ? pair.value : isNode(node) && 'get' in node ? (node as { get(key: unknown, keep: boolean): unknown }).get(step, true) : undefined;
    if (isPair(pair) && isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
    if (key && index === path.length - 1) break;
    if (!isNode(next)) break;
    offset = next.range?.[0] ?? offset;
    node = next;
  }
  return offset;
}
