import { ApiError } from "./api-error.ts";
import type { Exchange } from "./exchange.ts";

/** The files of a page by their names under /page/; index.html is what GET / answers. */
export type PageFiles = ReadonlyMap<string, { readonly type: string; readonly bytes: Uint8Array }>;

/** Only what comes with the page runs and is asked for; pictures may also be those that people chose. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What a page's files are sent with. */
export const pageHeaders = {
  "content-security-policy": policy,
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
} as const;

/** Whether a path is the page's. */
export const isPage = (path: string): boolean => path === "/" || path.startsWith("/page/");

/** GET / and GET /page/NAME. @throws ApiError 404 */
export function sendPage(exchange: Exchange, files: PageFiles): void {
  const { pathname } = exchange.url;
  const file = files.get(pathname === "/" ? "index.html" : pathname.slice("/page/".length));
  if (file === undefined)
    throw new ApiError(404, "not_found", "There is no page here; GET /openapi.json tells what there is.");
  exchange.send(200, file.bytes, {
    "content-type": file.type,
    ...pageHeaders,
  });
}
