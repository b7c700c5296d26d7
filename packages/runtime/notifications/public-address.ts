import { BlockList, isIP } from 'node:net';

/** Addresses that are not of the public internet. Sources: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and what followed). */
const NOT_PUBLIC: readonly (readonly [address: string, prefix: number])[] = [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16], ['172.16.0.0', 12], ['192.0.0.0', 24], ['192.0.2.0', 24], ['192.88.99.0', 24], ['192.168.0.0', 16],
  ['198.18.0.0', 15], ['198.51.100.0', 24], ['203.0.113.0', 24], ['224.0.0.0', 4], ['240.0.0.0', 4],
  // Of IPv6 only 2000::/3 is given out for public use; within it these are not.
  ['2001::', 23], ['2001:db8::', 32], ['2002::', 16], ['3fff::', 20],
];
const blocked = new BlockList();
for (const [address, prefix] of NOT_PUBLIC) blocked.addSubnet(address, prefix, isIP(address) === 6 ? 'ipv6' : 'ipv4');
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');

/**
 * Whether an address is one of the public internet: not this machine, not its network, not the cloud's metadata. An IPv4 address within an
 * IPv6 one (mapped, translated) counts as not public: nobody has one of those as a name's answer.
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4: return !blocked.check(address, 'ipv4');
    case 6: return global6.check(address, 'ipv6') && !blocked.check(address, 'ipv6');
    default: return false;
  }
}
