export { healthEvent, signalEvent, traderEvent } from './events.ts';
export { Notifier } from './notifier.ts';
export type { NotifierOptions, TestAnswer } from './notifier.ts';
