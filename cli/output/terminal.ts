import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';

/** The part of a stream that writing needs; process.stdout and process.stderr are such. */
export interface Stream { write(text: string): unknown; isTTY?: boolean | undefined; columns?: number | undefined }

export type Colors = ReturnType<typeof pc.createColors>;

/** A stream of permanent lines with, on a TTY, one line below them that is rewritten in place. */
export interface Terminal {
  tty: boolean;
  colors: Colors;
  width(): number;
  /** Prints a line (or several) that stays. */
  line(text?: string): void;
  /** Prints a line that stays; on a TTY it is cut to one row. */
  row(text: string): void;
  /** Replaces the line at the bottom; null removes it. Does nothing without a TTY. */
  transient(text: string | null): void;
}

export function createTerminal(stream: Stream, color: boolean): Terminal {
  const tty = stream.isTTY === true;
  let below: string | null = null;
  // A terminal that does not know its size says 0.
  const width = () => stream.columns || 80;
  const erase = '\r\u001B[2K';
  const line = (text = ''): void => {
    stream.write(`${below === null ? '' : erase}${text}\n${below ?? ''}`);
  };
  return {
    tty,
    colors: pc.createColors(color),
    width,
    line,
    row: (text) => line(tty ? cutVisible(text, width() - 1) : text),
    transient: (text) => {
      if (!tty) return;
      const cut = text === null ? null : cutVisible(text, width() - 1);
      if (cut === below) return;
      stream.write(`${below === null && cut === null ? '' : erase}${cut ?? ''}`);
      below = cut;
    },
  };
}

const ESCAPE = '\u001B';

/** Cuts a text to so many visible characters; styles take no room and are ended. */
export function cutVisible(text: string, width: number): string {
  if (stripVTControlCharacters(text).length <= width) return text;
  let seen = 0;
  let out = '';
  let styled = false;
  for (let at = 0; at < text.length && seen < width - 1;) {
    const end = text[at] === ESCAPE ? text.indexOf('m', at) + 1 : 0;
    const piece = end > 0 ? text.slice(at, end) : String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (end > 0) styled = true;
    else seen += 1;
    out += piece;
    at += piece.length;
  }
  return `${out}…${styled ? `${ESCAPE}[0m` : ''}`;
}
