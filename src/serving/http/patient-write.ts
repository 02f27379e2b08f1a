import { setTimeout as wait } from "node:timers/promises";
import { ApiError } from "./api-error.ts";
import type { Exchange } from "./exchange.ts";

/**
 * Writes a part of an answer, and waits where its reader is behind.
 * @throws ApiError where the reader has gone, or left what it was sent unread for too long
 */
export async function writePatiently(
  { response, signal }: Exchange,
  bytes: string | Uint8Array,
  readerSeconds: number,
): Promise<void> {
  if (response.destroyed) throw signal.reason ?? new ApiError(499, "client_closed", "The client has gone.");
  if (response.write(bytes)) return;
  const drained = new AbortController();
  const onDrain = (): void => drained.abort();
  response.once("drain", onDrain).once("close", onDrain);
  await wait(readerSeconds * 1000, undefined, { signal: drained.signal, ref: false }).catch(() => {});
  response.off("drain", onDrain).off("close", onDrain);
  if (drained.signal.aborted) return;
  response.destroy();
  throw new ApiError(408, "reader_too_slow", `What was sent lay unread for ${readerSeconds} s.`);
}
