import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { crc32, gunzipSync } from 'node:zlib';
import { INTERVALS, TradeMindError, type Interval } from '@trademind/core';
import yauzl from 'yauzl';

/** The text of one CSV file, wherever it lay. */
export interface CandleText { name: string; bytes: Uint8Array }

/** Unpacked; ten years of one symbol's minutes have about 600 MB. */
const MOST_BYTES = 2 ** 31 - 1;

/** Symbol and interval as Binance names its dumps and we our exports: `BTCUSDT-1m-2025-01.zip`. Undefined for any other name. */
export function seriesOfName(path: string): { symbol: string; interval: Interval } | undefined {
  const [, symbol, named] = /^([\p{Lu}\p{N}]{2,40})-(\d+mo|\d+[a-zA-Z])(?:[-.].*)?$/u.exec(basename(path)) ?? [];
  const interval = INTERVALS.find((one) => one === (named === '1mo' ? '1M' : named));
  return symbol === undefined || interval === undefined ? undefined : { symbol, interval };
}

/**
 * Reads a CSV file, plain, gzipped or zipped (each CSV in it), told apart by its first bytes. Throws `not_found`, `file_unreadable`, or `candles_malformed`
 * where it cannot be unpacked or does not match its checksum.
 */
export async function readCandleTexts(path: string): Promise<CandleText[]> {
  const bytes = readWhole(path);
  const name = basename(path);
  checkDigest(path, bytes);
  try {
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) return [{ name, bytes: gunzipSync(bytes, { maxOutputLength: MOST_BYTES }) }];
    if (bytes[0] === 0x50 && bytes[1] === 0x4b) return await unzip(name, bytes);
  } catch (cause) {
    throw cause instanceof TradeMindError ? cause : malformed(`${name} cannot be unpacked: ${(cause as Error).message}.`, cause);
  }
  return [{ name, bytes }];
}

async function unzip(name: string, bytes: Buffer): Promise<CandleText[]> {
  const zip = await yauzl.fromBufferPromise(bytes);
  const texts: CandleText[] = [];
  for await (const entry of zip.eachEntry()) {
    if (!/\.csv$/i.test(entry.fileName)) continue;
    if (entry.uncompressedSize > MOST_BYTES) throw malformed(`${name}: ${entry.fileName} would unpack to ${Math.round(entry.uncompressedSize / 1e6)} MB.`);
    const content = await buffer(await zip.openReadStreamPromise(entry));
    if (crc32(content) !== entry.crc32) throw malformed(`${name}: ${entry.fileName} does not match its checksum.`);
    texts.push({ name: `${name}/${entry.fileName}`, bytes: content });
  }
  if (texts.length === 0) throw malformed(`${name} holds no CSV file.`);
  return texts;
}

/** Binance publishes `<file>.CHECKSUM` beside each dump: `<SHA-256>  <file>`. Where it was fetched too, the dump must match. */
function checkDigest(path: string, bytes: Uint8Array): void {
  const beside = `${path}.CHECKSUM`;
  if (!existsSync(beside)) return;
  const said = readWhole(beside).toString('latin1').trim().split(/\s/)[0]!.toLowerCase();
  if (said !== createHash('sha256').update(bytes).digest('hex')) throw malformed(`${basename(path)} does not match ${basename(beside)}.`);
}

function readWhole(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new TradeMindError({ code: missing ? 'not_found' : 'file_unreadable', field: 'file', message: missing ? `There is no file ${path}.` : `${path} cannot be read: ${(cause as Error).message}`, cause });
  }
}

function malformed(message: string, cause?: unknown): TradeMindError {
  return new TradeMindError({ code: 'candles_malformed', field: 'file', message, nextStep: 'Nothing was imported. Fetch the file again.', cause });
}
