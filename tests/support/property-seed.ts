import { configureGlobal } from 'fast-check';

/**
 * The same commit gets the same verdict: properties draw their examples from one seed. New ones are drawn by `npm run chaos -- properties`, which gives
 * another seed to each of its rounds; what it finds becomes an example of the property that failed.
 */
configureGlobal({ seed: Number(process.env['PROPERTY_SEED'] ?? 20_261_126) });
