import { intervalClose, intervalOpen, INTERVALS, type Interval } from '@trademind/core';
import { klineStream, FrameReader, type FrameSink, type KlineStream } from '../stream-frames.ts';
import type { MembershipEntry } from '../../state/membership-book.ts';
import { readRecording, type RecordedAnswer, type RecordedEvent } from './recording-file.ts';

/** A request finds the recorded answer to the same request if it came so near to it (ms). */
const NEAR_MS = 15_000;
/** What was known a moment later may be answered: the answer was under way then. */
const UNDER_WAY_MS = 5_000;
/** An answer without a recorded duration takes so long. */
const ANSWER_MS = 1;

type Row = readonly unknown[];
type Answer = RecordedAnswer & { tookMs: number };
interface Known { at: number; row: Row }

/**
 * What a recording knows of its market, to answer what a replay asks: recorded answers to the same request, and every closed candle of answers
 * and frames, none before its time.
 */
export class RecordedMarket {
  readonly firstAt: number;
  readonly lastAt: number;
  readonly torn: boolean;
  /** What was noted of traders' memberships, in order. */
  readonly memberships: readonly { at: number; entry: MembershipEntry }[];
  /** What frames came of: kline streams, and the names of all others. */
  readonly streams: { series: readonly { symbol: string; interval: Interval }[]; others: readonly string[] };
  readonly #answers: ReadonlyMap<string, readonly Answer[]>;
  readonly #rows: ReadonlyMap<string, ReadonlyMap<number, Known[]>>;
  readonly #times: readonly { at: number; serverTime: number; rate: number }[];

  private constructor(read: Pick<RecordedMarket, 'firstAt' | 'lastAt' | 'torn' | 'streams' | 'memberships'> & { answers: Map<string, Answer[]>; rows: Map<string, Map<number, Known[]>>; times: { at: number; serverTime: number; rate: number }[] }) {
    this.firstAt = read.firstAt;
    this.lastAt = read.lastAt;
    this.torn = read.torn;
    this.memberships = read.memberships;
    this.streams = read.streams;
    this.#answers = read.answers;
    this.#rows = read.rows;
    this.#times = read.times;
  }

  /** Reads the whole recording once. Throws `recording_unreadable`. */
  static async read(path: string): Promise<RecordedMarket> {
    const answers = new Map<string, Answer[]>();
    const rows = new Map<string, Map<number, Known[]>>();
    const times: { at: number; serverTime: number; rate: number }[] = [];
    let firstAt = Infinity;
    let lastAt = -Infinity;
    let torn = false;
    let firstEvent: { at: number; serverTime: number; rate: number } | undefined;
    const memberships: { at: number; entry: MembershipEntry }[] = [];
    const klines = new Map<string, KlineStream>();
    const names = new Set<string>();
    const closed = closedCandles(klines, (series, at, eventTime, row) => {
      firstEvent ??= { at, serverTime: eventTime, rate: 1 };
      if (row) keep(rows, series, at, row);
    });
    for await (const event of readRecording(path, () => { torn = true; })) {
      firstAt = Math.min(firstAt, event.kind === 'answer' ? event.answer.sentAt : event.at);
      lastAt = Math.max(lastAt, event.at);
      if (event.kind === 'frame') {
        closed(event);
        names.add(streamName(event.bytes));
      }
      if (event.kind === 'membership') memberships.push({ at: event.at, entry: event.entry });
      if (event.kind !== 'answer' || event.answer.status !== 200) continue;
      const { path: asked, body, sentAt, headers } = event.answer;
      answers.set(asked, [...(answers.get(asked) ?? []), { ...event.answer, tookMs: event.at - sentAt }]);
      if (asked.startsWith('/api/v3/time')) {
        const { serverTime } = JSON.parse(body) as { serverTime: number };
        times.push({ at: (sentAt + event.at) / 2, serverTime, rate: Number(headers['x-market-clock-rate'] ?? 1) });
      } else if (asked.startsWith('/api/v3/klines')) {
        const { symbol, interval } = seriesOf(asked);
        // The last row may have been forming.
        for (const row of (JSON.parse(body) as Row[]).slice(0, -1)) keep(rows, `${symbol} ${interval}`, event.at, row);
      }
    }
    if (times.length === 0 && firstEvent) times.push(firstEvent);
    const streams = { series: [...klines.values()].map(({ symbol, interval }) => ({ symbol, interval })), others: [...names].filter((name) => name !== '' && !klines.has(name)) };
    return new RecordedMarket({ firstAt, lastAt, torn, streams, memberships, answers, rows, times });
  }

  get hasAnswers(): boolean {
    return this.#answers.size > 0;
  }

  /** The exchange's time at that moment of the recording, and how fast it ran; when the recording ends, it stands still. */
  marketTime(moment: number): { serverTime: number; rate: number } {
    const at = Math.min(moment, this.lastAt);
    const sample = this.#times.findLast((one) => one.at <= at) ?? this.#times[0] ?? { at, serverTime: at, rate: 1 };
    return { serverTime: Math.floor(sample.serverTime + (at - sample.at) * sample.rate), rate: sample.rate };
  }

  /** The answer to a request at that moment of the recording, and how long it takes. */
  answer(path: string, at: number): { status: number; headers: Record<string, string>; body: string; takesMs: number } {
    const recorded = this.#answers.get(path) ?? [];
    const near = recorded.filter(({ sentAt }) => Math.abs(sentAt - at) <= NEAR_MS).toSorted((a, b) => Math.abs(a.sentAt - at) - Math.abs(b.sentAt - at))[0];
    const takesMs = near?.tookMs ?? ANSWER_MS;
    const { serverTime, rate } = this.marketTime(at + takesMs / 2);
    const made = (body: unknown, status = 200) => ({ status, headers: { 'x-market-clock-rate': String(rate) }, body: JSON.stringify(body), takesMs });
    if (path.startsWith('/api/v3/time')) return made({ serverTime });
    if (near) return { ...near, takesMs };
    if (path.startsWith('/api/v3/klines')) return made(this.#klines(path, at, serverTime));
    const latest = recorded.findLast(({ sentAt }) => sentAt <= at) ?? recorded[0];
    return latest ? { ...latest, takesMs } : made({ code: -1, msg: 'This was not asked when the session was recorded.' }, 404);
  }

  /** Closed candles as known then, and the one under way; as the exchange gives them, it is not final. */
  #klines(path: string, at: number, serverTime: number): Row[] {
    const { symbol, interval, from, until, limit } = seriesOf(path);
    const known = this.#rows.get(`${symbol} ${interval}`);
    if (!known) return [];
    const opens = [...known.keys()].toSorted((a, b) => a - b);
    const asked = intervalOpen(interval, from);
    const rows: Row[] = [];
    for (let open = Math.max(opens[0] ?? 0, asked < from ? intervalClose(interval, asked) : asked); open <= Math.min(serverTime, until) && rows.length < limit; open = intervalClose(interval, open)) {
      const versions = known.get(open) ?? [];
      const row = versions.findLast((one) => one.at <= at + UNDER_WAY_MS)?.row ?? versions[0]?.row;
      if (row) rows.push(row);
      else if (intervalClose(interval, open) > serverTime) rows.push(still(interval, open, rows.at(-1)));
    }
    return rows;
  }
}

function seriesOf(path: string): { symbol: string; interval: Interval; from: number; until: number; limit: number } {
  const query = new URLSearchParams(path.split('?')[1]);
  const number = (name: string, otherwise: number) => Number(query.get(name) ?? otherwise);
  return { symbol: query.get('symbol') ?? '', interval: query.get('interval') as Interval, from: number('startTime', 0), until: number('endTime', Infinity), limit: number('limit', 500) };
}

/** A candle in which nobody has traded yet. */
function still(interval: Interval, open: number, before: Row | undefined): Row {
  const price = before?.[4] ?? '1';
  return [open, price, price, price, price, '0', intervalClose(interval, open) - 1, '0', 0, '0', '0', '0'];
}

function keep(rows: Map<string, Map<number, Known[]>>, series: string, at: number, row: Row): void {
  const ofSeries = rows.get(series) ?? new Map<number, Known[]>();
  rows.set(series, ofSeries);
  const open = row[0] as number;
  const versions = ofSeries.get(open) ?? [];
  ofSeries.set(open, versions);
  if (JSON.stringify(versions.at(-1)?.row) !== JSON.stringify(row)) versions.push({ at, row });
}

/** Finds the closed candles of frames; tells each frame's time too, and fills `streams` with the kline streams that it meets. */
function closedCandles(streams: Map<string, KlineStream>, tell: (series: string, at: number, eventTime: number, row: Row | undefined) => void): (event: RecordedEvent & { kind: 'frame' }) => void {
  const reader = new FrameReader(streams);
  let at = 0;
  const nothing = () => undefined;
  const sink: FrameSink = {
    forming: (stream) => tell('', at, stream.eventTime, undefined),
    closed: ({ symbol, interval }, { openTime, open, high, low, close, volume, quoteVolume, trades, takerBuy }, eventTime) => tell(`${symbol} ${interval}`, at, eventTime,
      [openTime, String(open), String(high), String(low), String(close), String(volume), intervalClose(interval, openTime) - 1, String(quoteVolume), trades, String(takerBuy), '0', '0']),
    price: (_symbol, _price, eventTime) => tell('', at, eventTime, undefined), book: nothing, answer: nothing, shutdown: nothing,
  };
  return (event) => {
    at = event.at;
    const name = streamName(event.bytes);
    const [symbol, interval] = name.split('@kline_');
    if (symbol && interval && !streams.has(name) && (INTERVALS as readonly string[]).includes(interval)) streams.set(name, klineStream(symbol.toUpperCase(), interval as Interval));
    reader.read(event.bytes, sink);
  };
}

/** The name of the stream that a combined frame belongs to; empty for others. */
export function streamName(bytes: Buffer): string {
  return /^\{"stream":"([^"\\]{1,100})"/.exec(bytes.toString('latin1', 0, 130))?.[1] ?? '';
}
