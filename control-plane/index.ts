export { startControlPlane, type ControlPlane } from './control-plane.ts';
export { readSettings } from './env.ts';
export { createLog } from './log.ts';
