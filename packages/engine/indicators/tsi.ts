import { absolute, subtract } from '../graph/arithmetic.ts';
import { offsetOf } from '../graph/history.ts';
import { HEAD, pure, type NodeKind } from '../graph/node-kind.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { emaOf } from './ema.ts';

/** Averages that have shrunk to this, in a market that has been dead for thousands of candles, have lost their digits. */
const NOTHING = 2 ** -1000;

/**
 * 100 × moved / size; not ready where nothing moved. Its params are candles that it waits: an average of steps is around 0, so its seed weighs
 * more than that of an average of prices, and takes one length more to be forgotten.
 */
const shareKind: NodeKind = {
  ...pure('share', ({ v, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 1 + 2) {
      const out = code[c]!;
      const moved = code[c + HEAD + 1]!;
      const size = code[c + HEAD + 2]!;
      let i = 0;
      do v[out + i] = v[size + i]! > NOTHING ? (100 * v[moved + i]!) / v[size + i]! : Number.NaN; while (++i < count);
    }
  }),
  settle: ([wait]) => 1 + wait!,
};

/**
 * In: any series; out: points from −100 to 100; .value has its first value after long + short candles, settled after 8 × (long + short); .signal after signal − 1 and 7 × signal − 1
 * more. A series that never moved is 0 / 0, and so not ready.
 */
export const tsi: FunctionDefinition = {
  name: 'tsi',
  summary: 'True strength index: the change of the series, averaged by an EMA of long and one of short, as a share of its size averaged so; signal = an EMA of it.',
  arguments: [inputSeries, length('long'), length('short'), length('signal')],
  fields: ['value', 'signal'],
  returns: 'series',
  unit: 'points',
  seed: 'each EMA with the mean of its first values, one after the other',
  source: 'W. Blau, 1991; Stock.Indicators',
  example: 'crossover(tsi(25, 13, 7).value, tsi(25, 13, 7).signal)',
  build: (dag, [x], [long, short, signal], field) => {
    const step = dag.node(subtract, [x!, offsetOf(dag, x!, 1)]);
    const [moved, size] = [step, dag.node(absolute, [step])].map((series) => emaOf(dag, emaOf(dag, series, long!), short!));
    const value = dag.node(shareKind, [moved!, size!], [long! + short!]);
    return field === 'value' ? value : emaOf(dag, value, signal!);
  },
};
