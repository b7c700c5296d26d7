export { startLocal, startMachine } from './compose.ts';
export type { LocalOptions, MachineOptions, RunningMachine } from './compose.ts';
export type { FeedEvent, FeedSource } from './feed/index.ts';
export { memoryNow } from './health/process-probe.ts';
export type { Log } from './log.ts';
export { makeFolder } from './make-folder.ts';
export { countRecording, type RecordingCounts } from './market/recording/count-recording.ts';
export { openReplay, type Replay, type ReplayReport } from './market/recording/replay.ts';
