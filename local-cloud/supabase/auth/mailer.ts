import type { Pool } from 'pg';
import { writeLetter, type Letter } from '../mail/letters.ts';
import type { Mailbox } from '../mail/mailbox.ts';
import { openFlow, type Challenge } from './flow.ts';
import type { Limiter } from './limits.ts';
import { issueOneTime, type Issued, type TokenKind } from './one-time.ts';
import { noteSent, type SentColumn, type UserRow } from './users.ts';

export interface Mailer {
  /**
   * Sends (to the catcher) a mail with a link and six digits. Throws over_email_send_rate_limit. `to`: another address than the user's own.
   */
  send(letter: Letter, user: UserRow, options: { redirectTo: string; challenge?: Challenge | null; to?: string; kind?: TokenKind }): Promise<void>;
  /** The link of a one-time token: opened in a browser it ends at `redirectTo`. */
  link(type: string, tokenHash: string, redirectTo: string): string;
  /** One token without a mail, for an administrator who sends the link by another way. */
  issue(letter: Letter, user: UserRow, email: string, kind?: TokenKind): Promise<Issued>;
}

const KIND: Readonly<Record<Letter, TokenKind>> = {
  signup: 'confirmation', invite: 'confirmation', magiclink: 'recovery', recovery: 'recovery', email_change: 'email_change_new', reauthentication: 'reauthentication',
};
const SENT: Readonly<Record<Letter, readonly SentColumn[]>> = {
  signup: ['confirmation_sent_at'], invite: ['invited_at', 'confirmation_sent_at'], magiclink: ['recovery_sent_at'], recovery: ['recovery_sent_at'],
  email_change: ['email_change_sent_at'], reauthentication: ['reauthentication_sent_at'],
};

export function createMailer(pool: Pool, mailbox: Mailbox, limiter: Limiter, authUrl: () => string, now: () => number): Mailer {
  const link = (type: string, tokenHash: string, redirectTo: string) => `${authUrl()}/verify?${new URLSearchParams({ token: tokenHash, type, redirect_to: redirectTo }).toString()}`;
  const issue: Mailer['issue'] = async (letter, user, email, kind = KIND[letter]) => {
    await noteSent(pool, user.id, SENT[letter], new Date(now()));
    return issueOneTime(pool, user.id, email, kind, false);
  };
  return {
    link, issue,
    send: async (letter, user, { redirectTo, challenge = null, to = user.email ?? '', kind = KIND[letter] }) => {
      // The second mail of one change of address is not held against the first.
      if (kind !== 'email_change_current') limiter.email(lastSent(user, letter));
      if (challenge !== null && kind !== 'email_change_current') await openFlow(pool, user.id, challenge, letter);
      const { tokenHash, otp } = await issueOneTime(pool, user.id, to, kind, challenge !== null);
      await noteSent(pool, user.id, SENT[letter], new Date(now()));
      mailbox.catch(writeLetter(letter, to, otp, letter === 'reauthentication' ? null : link(letter, tokenHash, redirectTo)));
    },
  };
}

function lastSent(user: UserRow, letter: Letter): Date | null {
  const column = SENT[letter].at(-1);
  return letter === 'invite' || column === undefined ? null : user[column];
}
