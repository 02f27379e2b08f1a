import type { IncomingMessage } from "node:http";

const SERVER = "http://server";

/** What a request asks for. Of a target that is no address a path that nothing lies under: a request line may say anything. */
export function targetOf({ url = "/" }: IncomingMessage): URL {
  // Two slashes at the beginning would be read as a host.
  const parsed = url.startsWith("/") ? URL.parse(SERVER + url) : URL.parse(url, SERVER);
  return parsed ?? new URL("/*", SERVER);
}
