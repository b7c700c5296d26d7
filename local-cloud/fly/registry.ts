import { Buffer } from 'node:buffer';
import { sameSecret } from '../shared/http.ts';
import { imageRef, type Images } from './images.ts';
import type { ApiAnswer } from './route.ts';

/**
 * Whether an image is there, as a container registry says it (`HEAD /v2/<repository>/manifests/<digest>`; OCI Distribution Specification 1.1). The images
 * are those that can be run. Authorization as Fly's registry takes it: Basic, any user, the token as the password.
 */
export function manifestAnswer(images: Images, token: string, path: string, authorization: string | undefined): ApiAnswer {
  const word = /^Basic (.+)$/i.exec(authorization ?? '')?.[1];
  const password = word === undefined ? undefined : Buffer.from(word, 'base64').toString().replace(/^[^:]*:/, '');
  if (password === undefined || !sameSecret(password, token)) {
    return { status: 401, body: { errors: [{ code: 'UNAUTHORIZED' }] }, headers: { 'www-authenticate': 'Basic realm="registry"' } };
  }
  const [, repository, digest] = /^\/v2\/(.+)\/manifests\/(sha256:[0-9a-f]{64})$/.exec(path) ?? [];
  const found = Object.keys(images).map(imageRef).some((image) => image.repository === repository && image.digest === digest);
  if (digest === undefined || !found) return { status: 404, body: { errors: [{ code: 'MANIFEST_UNKNOWN' }] } };
  return { status: 200, body: {}, headers: { 'docker-content-digest': digest } };
}
