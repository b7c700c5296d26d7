/** The one account of a local cloud. Its password is in the data folder. */
export const DEMO_EMAIL = 'demo@trademind.local';
/** The environment of the demo user's machine. */
export const LOCAL_ENVIRONMENT = 'local';
