export { startControlPlane, type ControlPlane } from './control-plane.ts';
export { readSettings, type Settings, type SettingsResult } from './env.ts';
