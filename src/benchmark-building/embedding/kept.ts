import { sha256 } from "../../files/index.ts";
import type { Kept } from "../kept.ts";
import type { Embedder } from "./embedder.ts";

/** The same embedder, which is not asked again for what is known: an endpoint is paid, and a tower is slow. */
export const keeping = (embedder: Embedder, kept: Kept): Embedder => ({
  id: embedder.id,
  images: (images, signal) =>
    lookedUp(
      images,
      ({ file }) => file,
      (lacking) => embedder.images(lacking, signal),
      { kept, kind: `image by ${embedder.id}` },
    ),
  texts: (texts, signal) =>
    lookedUp(texts, sha256, (lacking) => embedder.texts(lacking, signal), {
      kept,
      kind: `text by ${embedder.id}`,
    }),
});

/** Items that are asked for at once, and kept then. */
const portion = 128;

async function lookedUp<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  ask: (items: readonly Item[]) => Promise<readonly Float32Array[]>,
  { kept, kind }: { readonly kept: Kept; readonly kind: string },
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (let start = 0; start < items.length; start += portion) {
    const part = items.slice(start, start + portion);
    const known = part.map((item) => kept.get(kind, keyOf(item)));
    const lacking = part.filter((_, place) => known[place] === undefined);
    const asked = lacking.length > 0 ? [...(await ask(lacking))] : [];
    for (const [place, item] of part.entries()) {
      const bytes = known[place];
      const vector = bytes === undefined ? asked.shift()! : new Float32Array(Uint8Array.from(bytes).buffer);
      if (bytes === undefined) kept.put(kind, keyOf(item), new Uint8Array(vector.slice().buffer));
      vectors.push(vector);
    }
  }
  return vectors;
}
