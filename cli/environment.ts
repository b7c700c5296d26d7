/** What the terminal reads from the environment. Nothing else in this package looks at `process.env`. */
export interface Environment {
  /** A Gemini key of the user's own: the local cloud then starts no Gemini stand-in. */
  geminiApiKey: string | undefined;
  /** Where `trademind data` asks for candles, if not at Binance's public market data (BINANCE_REST_URL). */
  binanceRestUrl: string | undefined;
  /** How many MB the recordings of a machine of `trademind dev` may take (RECORDING_MB); none is made without it. */
  recordingMb: string | undefined;
  /** Colours wanted (FORCE_COLOR) or unwanted (NO_COLOR, a dumb terminal); undefined: as the stream is. */
  color: boolean | undefined;
  /** Variables every child process needs to run at all; none of them is a secret of ours. */
  inherited: Readonly<Record<string, string>>;
}

const INHERITED = [
  'PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'ComSpec', 'PATHEXT',
  'NODE_COMPILE_CACHE', 'NODE_EXTRA_CA_CERTS', 'NODE_USE_ENV_PROXY', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy',
  'NODE_V8_COVERAGE', 'LOG_LEVEL', 'TRADEMIND_RUN_AS_UID', 'LD_LIBRARY_PATH',
];

export function readEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): Environment {
  const inherited: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = env[name];
    if (value !== undefined) inherited[name] = value;
  }
  const unwanted = Boolean(env.NO_COLOR) || env.TERM === 'dumb';
  const wanted = Boolean(env.FORCE_COLOR) && env.FORCE_COLOR !== '0';
  return { geminiApiKey: env.GEMINI_API_KEY || undefined, binanceRestUrl: env.BINANCE_REST_URL || undefined, recordingMb: env.RECORDING_MB || undefined, color: unwanted ? false : wanted ? true : undefined, inherited };
}
