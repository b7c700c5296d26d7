import type { Mail } from './mailbox.ts';

/** What a mail is for: GoTrue's names of its templates. */
export type Letter = 'signup' | 'invite' | 'magiclink' | 'recovery' | 'email_change' | 'reauthentication';

const SUBJECTS: Readonly<Record<Letter, string>> = {
  signup: 'Confirm your e-mail address', invite: 'You have been invited', magiclink: 'Your sign-in link', recovery: 'Reset your password',
  email_change: 'Confirm your new e-mail address', reauthentication: 'Confirm that it is you',
};
const SENTENCES: Readonly<Record<Letter, string>> = {
  signup: 'Follow this link to confirm your address', invite: 'Follow this link to accept the invitation', magiclink: 'Follow this link to sign in',
  recovery: 'Follow this link to choose a new password', email_change: 'Follow this link to confirm the change of your address', reauthentication: 'Enter this code',
};

export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** The mail: a sentence, the link (none for a reauthentication) and the six digits. */
export function writeLetter(letter: Letter, to: string, otp: string, link: string | null): Mail {
  const lines = [link === null ? `${SENTENCES[letter]}: ${otp}` : `${SENTENCES[letter]}:\n${link}\n\nOr enter the code: ${otp}`, 'It is good once, for an hour.'];
  const html = link === null
    ? `<p>${SENTENCES[letter]}: <strong>${otp}</strong></p>`
    : `<p><a href="${escapeHtml(link)}" rel="noreferrer">${SENTENCES[letter]}</a></p><p>Or enter the code: <strong>${otp}</strong></p>`;
  return { to, subject: SUBJECTS[letter], text: lines.join('\n\n'), html: `${html}<p>It is good once, for an hour.</p>` };
}
