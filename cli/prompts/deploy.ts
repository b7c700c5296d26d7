import * as clack from '@clack/prompts';
import { DEFAULT_REGION, DEFAULT_SIZE, REGIONS, sizeName, TradeMindError, US_REGIONS, type MachineSize } from '@trademind/core';
import type { Io } from '../io.ts';
import { OFFERED_SIZES, parseSize, priceText, sizeText } from '../services/size.ts';

const CITIES: Readonly<Record<string, string>> = {
  ams: 'Amsterdam', arn: 'Stockholm', yyz: 'Toronto', lhr: 'London', cdg: 'Paris', fra: 'Frankfurt', sin: 'Singapore', syd: 'Sydney', jnb: 'Johannesburg',
  nrt: 'Tokyo', gru: 'São Paulo',
};

/** Asks what was not given by flags. Throws `cancelled` on Ctrl-C or a no. */
export async function askDeployment(given: { region?: string; size?: MachineSize }, io: Io): Promise<{ region: string; size: MachineSize }> {
  const streams = { input: io.streams.stdin, output: io.streams.stdout };
  clack.intro('A machine of your own', streams);
  const region = given.region ?? taken(await clack.select({
    ...streams, message: 'Where? (Binance does not serve the United States)', initialValue: DEFAULT_REGION, maxItems: 8,
    options: REGIONS.filter((one) => !US_REGIONS.includes(one)).map((one) => ({ value: one, label: one, hint: CITIES[one] ?? '' })),
  }));
  const size = given.size ?? parseSize(taken(await clack.select({
    ...streams, message: 'How large?', initialValue: sizeText(DEFAULT_SIZE),
    options: OFFERED_SIZES.map((one) => ({ value: sizeText(one), label: sizeName(one), hint: priceText(one, region) })),
  })));
  const sure = taken(await clack.confirm({ ...streams, message: `Deploy ${sizeName(size)} in ${region} for ${priceText(size, region)}? (free here: this is the local cloud)`, initialValue: true }));
  if (!sure) throw cancelled();
  return { region, size };
}

function taken<T>(answer: T): Exclude<T, symbol> {
  if (clack.isCancel(answer)) throw cancelled();
  return answer as Exclude<T, symbol>;
}

const cancelled = () => new TradeMindError({ code: 'cancelled', message: 'Nothing was deployed.' });
