export { readEnv, type DashboardEnv } from './env.ts';
export { startDashboard, type RunningDashboard } from './start.ts';
