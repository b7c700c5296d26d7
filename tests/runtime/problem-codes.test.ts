// A problem that no component knows explains nothing: whoever reads "the database has not answered" must read why.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { componentOfProblem, judgeHealth } from '@trademind/core';
import { expect, test } from 'vitest';

const RUNTIME = join(import.meta.dirname, '../../packages/runtime');
/** Rooms whose errors go to whoever called (a command line, a client of the feed), or are reasons for a size: never problems of a running machine. */
const ELSEWHERE = /^(archive|scaling|feed|market\/recording|.*testing)\/|\.test\.ts$/;
/** Codes of single answers, of a message that a rule left out, and of a start that does not come about. */
const ANSWERS = ['answer_too_large', 'channel_unknown', 'data_dir_unusable', 'rule_limit', 'state_newer', 'state_unreadable', 'too_soon', 'trader_invalid', 'trader_unreadable', 'traders_in_database'];

const sources = readdirSync(RUNTIME, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts') && !ELSEWHERE.test(path));
/** Where a code is given: as a field, alone or as one of two, or to a function that makes an error of it. */
const GIVEN = /(?:\bcode: (?:[^,'\n]*\? )?|code: [^,\n]*\? '[a-z_]+' : |later\(|channelRefused\(|parseWith\([^'\n]*|NOT_KEPT = )'([a-z]+(?:_[a-z]+)+)'/g;
const found = [...new Set(sources.flatMap((path) => [...readFileSync(join(RUNTIME, path), 'utf8').matchAll(GIVEN)].map(([, code]) => code!)))].sort();

test('every code that the services of a machine give as a problem belongs to a component', () => {
  expect(found.length).toBeGreaterThan(30);
  expect(found).toEqual(expect.arrayContaining(['machine_secret_refused', 'facts_refused', 'owner_unsure', 'telegram_failing', 'receiver_timeout', 'address_refused', 'exchange_location_refused']));
  expect(found.filter((code) => componentOfProblem(code) === undefined && !ANSWERS.includes(code))).toEqual([]);
  expect(ANSWERS.filter((code) => !found.includes(code))).toEqual([]);
});

test('a refused secret is named where the database is silent', () => {
  const { report } = judgeHealth({}, { databaseSilenceMs: 400_000 }, [{ code: 'machine_secret_refused', message: 'The control plane refused the secret.' }], { mono: 0, epoch: 0 });
  expect(report.components[0]?.sentence).toBe('The database has not answered for 6 min 40 s. The control plane refused the secret.');
});
