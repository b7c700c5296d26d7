import type { LookupAddress } from 'node:dns';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { guardedLookup, guardedPost, type PostOptions } from './guarded-post.ts';
import { isPublicAddress } from './public-address.ts';

const post = (address: string, over: Partial<PostOptions> = {}) =>
  guardedPost(address, { headers: {}, body: '{}', timeoutMs: 60_000, signal: new AbortController().signal, allowPrivate: false, ...over });

describe('public addresses', () => {
  test.each([
    '127.0.0.1', '0.0.0.0', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '192.0.0.8', '192.0.2.1', '198.18.0.1', '224.0.0.1', '255.255.255.255',
    '::1', '::', '::ffff:127.0.0.1', '::ffff:8.8.8.8', 'fe80::1', 'fc00::1', 'fdaa:0:1::3', 'ff02::1', '2001:db8::1', '2002:7f00:1::', '64:ff9b::7f00:1', '2001:0:1::', 'localhost', '', '1.2.3', '0x7f000001',
  ])('%s is none', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
  test.each(['8.8.8.8', '1.1.1.1', '149.154.167.220', '172.32.0.1', '2606:4700::6810:84e5', '2a00:1450:4001::1'])('%s is one', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
  test('no IPv4 address written as part of an IPv6 one comes through', () => {
    fc.assert(fc.property(fc.ipV4(), fc.constantFrom('::ffff:', '::', '64:ff9b::'), (address, prefix) => { expect(isPublicAddress(prefix + address)).toBe(false); }));
  });
});

describe('an address that a user gave', () => {
  test.each([
    'http://example.com/hook', 'https://127.0.0.1/x', 'https://127.1/x', 'https://0x7f000001/x', 'https://2130706433/x', 'https://0177.0.0.1/x', 'https://[::1]:8443/x', 'https://[::ffff:127.0.0.1]/x',
    'https://169.254.169.254/latest/meta-data', 'https://[fdaa::3]/x', 'https://0/x',
  ])('%s is refused before anything is sent', async (address) => {
    await expect(post(address)).rejects.toMatchObject({ code: 'address_refused', field: 'url' });
  });

  test('a name that leads to a private address is refused at the moment of connecting, whatever it led to before', async () => {
    let looked = 0;
    const resolver = ((_name: string, _options: object, done: (error: null, addresses: LookupAddress[]) => void) => { looked += 1; done(null, [{ address: looked === 1 ? '10.0.0.5' : '127.0.0.1', family: 4 }]); }) as unknown as PostOptions['resolver'];
    for (let attempt = 0; attempt < 2; attempt++) await expect(post('https://rebind.example/hook', { resolver: resolver! })).rejects.toMatchObject({ code: 'address_refused', message: expect.stringContaining('rebind.example leads to') as string });
    expect(looked).toBe(2);
  });

  test('of several addresses only the public ones are used, in both forms that Node asks for', () => {
    const resolver = ((_name: string, _options: object, done: (error: null, addresses: LookupAddress[]) => void) => done(null, [{ address: '192.168.0.9', family: 4 }, { address: '1.1.1.1', family: 4 }, { address: '::1', family: 6 }])) as unknown as NonNullable<PostOptions['resolver']>;
    const seen: unknown[] = [];
    guardedLookup(resolver, false)('x.example', { all: true }, (error, addresses) => seen.push([error, addresses]));
    guardedLookup(resolver, false)('x.example', {}, (error, address, family) => seen.push([error, address, family]));
    expect(seen).toEqual([[null, [{ address: '1.1.1.1', family: 4 }]], [null, '1.1.1.1', 4]]);
  });

  test('where private addresses are allowed it is reached, redirects are not followed, and a long answer is cut', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/moved') response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
      else if (request.url === '/long') response.writeHead(200).end('x'.repeat(200_000));
      else if (request.url === '/never') request.resume();
      else response.writeHead(429, { 'retry-after': '7' }).end('slow');
    });
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await post(`${base}/x`, { allowPrivate: true })).toEqual({ status: 429, retryAfterS: 7, body: 'slow' });
    expect((await post(`${base}/moved`, { allowPrivate: true })).status).toBe(302);
    expect((await post(`${base}/long`, { allowPrivate: true })).body.length).toBeLessThan(100_000);
    await expect(post(`${base}/never`, { allowPrivate: true, timeoutMs: 100 })).rejects.toMatchObject({ code: 'receiver_timeout' });
    const ending = new AbortController();
    setTimeout(() => ending.abort(), 50);
    await expect(post(`${base}/never`, { allowPrivate: true, signal: ending.signal })).rejects.toMatchObject({ code: 'aborted' });
    server.closeAllConnections();
    await new Promise((resolve) => { server.close(resolve); });
    const gone = await post(`${base}/secret-path`, { allowPrivate: true }).then(() => undefined, (error: unknown) => error as Error);
    expect(gone).toMatchObject({ code: 'receiver_unreachable', message: expect.stringContaining('ECONNREFUSED') as string });
    expect(gone?.message).not.toContain('secret-path');
  });
});
