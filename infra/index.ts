import { Image } from '@pulumi/docker';
import { interpolate } from '@pulumi/pulumi';
import { FlyApp, FlySecrets } from './fly-app.ts';
import { FlyMachine } from './fly-machine.ts';
import { readInfraSettings } from './settings.ts';

// The platform, top to bottom: two images, the control plane's app, its secrets, its replicas. Users' machines are not here: the control
// plane makes those. Images are named by digest from here on, for a tag moves.
const settings = readInfraSettings();
const { environment, org, region, registry } = settings;
const appName = `trademind-control-plane-${environment}`;
const url = `https://${appName}.fly.dev`;

const app = new FlyApp('control-plane', { name: appName, org });

const image = (name: string, dockerfile: string) => new Image(name, {
  imageName: `${registry}/${appName}:${name}-${environment}`,
  build: { context: '.', dockerfile, platform: 'linux/amd64' },
}, { dependsOn: [app] });
const machineImage = image('machine', 'machine-image/Dockerfile');
const controlPlaneImage = image('control-plane', 'control-plane/Dockerfile');

const secrets = new FlySecrets('control-plane-secrets', { app: app.name, values: settings.secrets });

// one after the other: each change (an image, a key) is served by the others meanwhile, and a bad one stops at the first
const replicas: FlyMachine[] = [];
for (let at = 0; at < settings.replicas; at += 1) replicas.push(new FlyMachine(`control-plane-${at + 1}`, {
  app: app.name,
  name: `${appName}-${at + 1}`,
  region,
  image: controlPlaneImage.repoDigest,
  cpuKind: 'shared',
  cpus: 2,
  memoryMb: 512,
  secretsVersion: secrets.version,
  env: {
    PORT: '8080', HOST: '0.0.0.0', METRICS_PORT: '9091', ENVIRONMENT: environment, REPLICA_ID: `${appName}-${at + 1}`,
    SUPABASE_URL: settings.supabaseUrl, SUPABASE_PUBLISHABLE_KEY: settings.supabasePublishableKey,
    FLY_ORG: settings.userOrg, FLY_LOGS_URL: 'https://api.fly.io/api/v1', MACHINE_IMAGE: machineImage.repoDigest, CONTROL_PLANE_URL: url, ALLOWED_ORIGINS: settings.allowedOrigins,
    // Fly's proxy and nobody else says where a caller comes from
    TRUSTED_PROXIES: '172.16.0.0/12,fdaa::/16',
  },
}, { dependsOn: replicas.slice(-1) }));

/** What people and other stacks need to know. */
export const controlPlaneUrl = url;
export const openApi = interpolate`${url}/openapi.json`;
export const machineImageDigest = machineImage.repoDigest;
export const controlPlaneImageDigest = controlPlaneImage.repoDigest;
export const replicaIds = replicas.map((replica) => replica.machineId);
