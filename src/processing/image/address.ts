import { BlockList, isIP } from "node:net";

/** IPv4 that is not the public internet: private, loopback, link-local, shared, test, multicast, reserved. */
const NOT_PUBLIC_IPV4 = blockList("ipv4", [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
]);

/** Of IPv6 only 2000::/3 is handed out; these parts of it are not, or wrap an IPv4 address. */
const GLOBAL_IPV6 = blockList("ipv6", [["2000::", 3]]);
const NOT_PUBLIC_IPV6 = blockList("ipv6", [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
]);

/** Whether an IP address, as text, lies in the public internet. IPv4 inside IPv6 never does. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !NOT_PUBLIC_IPV4.check(address, "ipv4");
  if (family === 6) return GLOBAL_IPV6.check(address, "ipv6") && !NOT_PUBLIC_IPV6.check(address, "ipv6");
  return false;
}

function blockList(family: "ipv4" | "ipv6", subnets: readonly (readonly [network: string, bits: number])[]) {
  const list = new BlockList();
  for (const [network, bits] of subnets) list.addSubnet(network, bits, family);
  return list;
}
