import sharp from "sharp";
import { openEncoded } from "../../../processing/image/index.ts";
import type { ServedModel } from "../../../protocol/index.ts";

/** Rounds, and milliseconds after which a large model is asked no more. */
const ROUNDS = 3;
const ENOUGH = 2000;

/**
 * Has a model see photos and say tokens, so that the first client does not wait for what is made once: libraries that decode,
 * code that is compiled, memory.
 */
export async function warmUp(model: ServedModel, signal: AbortSignal): Promise<void> {
  const sees = model.modalities.includes("image");
  const began = performance.now();
  for (let round = 0; round < ROUNDS && performance.now() - began < ENOUGH; round++) {
    // Images and texts differ, or the caches would answer.
    const text = { type: "text", text: `${"What is it? ".repeat(8)}${round}` } as const;
    const content = sees ? [{ type: "image", image: await photo(round) } as const, text] : [text];
    const parts = model.answer({
      prompt: { messages: [{ role: "user", content }] },
      sampling: { maxTokens: 2, temperature: 0, ignoreEos: true },
      owner: "warm-up",
      signal,
    });
    for await (const _ of parts) {
      // Only the time counts.
    }
  }
}

/** A grey JPEG of a photo's size, looked at as a client's is. */
async function photo(round: number): Promise<Uint8Array> {
  const background = { r: 100 + round, g: 100, b: 100 };
  const jpeg = await sharp({ create: { width: 640, height: 480, channels: 3, background } })
    .jpeg()
    .toBuffer();
  await openEncoded(jpeg);
  return jpeg;
}
