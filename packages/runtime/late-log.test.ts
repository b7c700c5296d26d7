import { expect, test } from 'vitest';
import { lateLog } from './late-log.ts';

test('what was said before there was anybody to hear it is heard first, once, in its order', () => {
  const heard: string[] = [];
  const late = lateLog();
  late.log('warn', 'a', 'A');
  late.log('error', 'b', 'B');
  late.to((level, code) => heard.push(`${level} ${code}`));
  late.log('info', 'c', 'C');
  expect(heard).toEqual(['warn a', 'error b', 'info c']);
});
