const HIDDEN = '[redacted]';

/** Forms in which secrets travel, whoever they belong to: a text that quotes a request or an answer may hold one that nobody registered. */
const FORMS: readonly (readonly [RegExp, string])[] = [
  // JSON Web Tokens
  [/\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*/g, HIDDEN],
  [/\b(bearer|basic|flyv1)\s+[\w.~+/=,:-]{8,}/gi, `$1 ${HIDDEN}`],
  // Telegram bot tokens, alone or in the path of the Bot API
  [/\b(bot)?\d{6,}:[\w-]{30,}/g, HIDDEN],
  // keys that say what they are: Google, Supabase, Standard Webhooks, Slack, Fly
  [/\b(AIza[\w-]{30,}|sb_secret_[\w-]+|whsec_[\w+/=-]+|xox[a-z]-[\w-]+|fm2_[\w+/=-]+)/g, HIDDEN],
  // addresses that are secrets themselves
  [/(discord(?:app)?\.com\/api\/(?:v\d+\/)?webhooks\/|hooks\.slack\.com\/(?:services|workflows|triggers)\/)[^\s"'<>]+/gi, `$1${HIDDEN}`],
  [/(:\/\/)[^\s/@:]+:[^\s/@]+@/g, `$1${HIDDEN}@`],
  [/([?&](?:key|api_?key|token|access_token|secret|signature|sig|password|ticket)=)[^\s&"'<>]+/gi, `$1${HIDDEN}`],
];

/** The text without the given secrets, and without anything that has the form of one. Secrets of fewer than 4 characters are not looked for: they would match anywhere. */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let hidden = text;
  // The longest first: one may be part of another.
  for (const secret of [...secrets].filter(({ length }) => length >= 4).sort((a, b) => b.length - a.length)) hidden = hidden.replaceAll(secret, HIDDEN);
  for (const [form, put] of FORMS) hidden = hidden.replace(form, put);
  return hidden;
}
