import { FlyError } from '@trademind/fly';

export const isGone = (error: unknown): boolean => error instanceof FlyError && error.code === 'fly_not_found';

export async function goneIsFine(deleting: Promise<void>): Promise<void> {
  try {
    await deleting;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
