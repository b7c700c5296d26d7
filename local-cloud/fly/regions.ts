/** Fly's regions, as its documentation names them. */
export const REGIONS: readonly { code: string; name: string }[] = [
  { code: 'ams', name: 'Amsterdam, Netherlands' }, { code: 'arn', name: 'Stockholm, Sweden' }, { code: 'bom', name: 'Mumbai, India' },
  { code: 'cdg', name: 'Paris, France' }, { code: 'dfw', name: 'Dallas, Texas (US)' }, { code: 'ewr', name: 'Secaucus, NJ (US)' },
  { code: 'fra', name: 'Frankfurt, Germany' }, { code: 'gru', name: 'Sao Paulo, Brazil' }, { code: 'iad', name: 'Ashburn, Virginia (US)' },
  { code: 'jnb', name: 'Johannesburg, South Africa' }, { code: 'lax', name: 'Los Angeles, California (US)' }, { code: 'lhr', name: 'London, United Kingdom' },
  { code: 'nrt', name: 'Tokyo, Japan' }, { code: 'ord', name: 'Chicago, Illinois (US)' }, { code: 'sin', name: 'Singapore, Singapore' },
  { code: 'sjc', name: 'San Jose, California (US)' }, { code: 'syd', name: 'Sydney, Australia' }, { code: 'yyz', name: 'Toronto, Canada' },
];

export const isRegion = (code: unknown): code is string => REGIONS.some((region) => region.code === code);
