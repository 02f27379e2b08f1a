import type { ServedModel } from "../../../protocol/index.ts";

/** A grey point. */
const image = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==",
  "base64",
);

/** Has a model see an image and say a token, so that the first client does not wait for what is made once. */
export async function warmUp(model: ServedModel, signal: AbortSignal): Promise<void> {
  const seen = model.modalities.includes("image") ? [{ type: "image", image } as const] : [];
  const content = [...seen, { type: "text", text: "Hi" } as const];
  const parts = model.answer({
    prompt: { messages: [{ role: "user", content }] },
    sampling: { maxTokens: 1, temperature: 0 },
    owner: "warm-up",
    signal,
  });
  for await (const _ of parts) {
    // Only the time counts.
  }
}
