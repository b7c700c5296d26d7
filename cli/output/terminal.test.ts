import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { createTerminal } from './terminal.ts';

const LONG = `\u001B[2m${'a reason that goes on '.repeat(20)}\u001B[22m`;

test('on a TTY a row is cut to its width, with an ellipsis; a line never is', () => {
  const written: string[] = [];
  const terminal = createTerminal({ write: (text) => written.push(text), isTTY: true, columns: 60 }, true);
  terminal.row(LONG);
  terminal.line(LONG);
  const [row = '', line = ''] = written.map((text) => stripVTControlCharacters(text).trimEnd());
  expect([row.length, row.at(-1)]).toEqual([59, '…']);
  expect(line.length).toBeGreaterThan(400);
});

test('into a file a row is written whole', () => {
  const written: string[] = [];
  createTerminal({ write: (text) => written.push(text), columns: 60 }, false).row(LONG);
  expect(written.join('')).toBe(`${LONG}\n`);
});
