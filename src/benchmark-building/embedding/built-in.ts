import { seedOfText } from "../../random/index.ts";
import { unit } from "../likeness/index.ts";
import { runsOf, wordsOf } from "../text.ts";
import type { EmbeddedImage, Embedder } from "./embedder.ts";

const width = 512;

/**
 * Numbers that need no model: of an image its colours and edges, of a text its words, pairs of words and the letters in them, those
 * that few texts have counting more. They tell looks and wording, not meaning.
 */
export const builtInEmbedder: Embedder = {
  id: "built-in",
  images: async (images: readonly EmbeddedImage[]) => images.map(({ signature }) => signature.descriptor),
  texts: async (texts) => embedTexts(texts),
};

function embedTexts(texts: readonly string[]): Float32Array[] {
  const features = texts.map(featuresOf);
  const textsWith = new Map<string, number>();
  for (const own of features)
    for (const name of own.keys()) textsWith.set(name, (textsWith.get(name) ?? 0) + 1);
  return features.map((own) => {
    const values = new Float32Array(width);
    for (const [name, count] of own) {
      const hash = seedOfText(0, name);
      const weight = Math.sqrt(count) * Math.log(1 + texts.length / textsWith.get(name)!);
      const place = (hash >>> 1) % width;
      values[place] = values[place]! + (hash % 2 === 0 ? weight : -weight);
    }
    return unit(values);
  });
}

function featuresOf(text: string): Map<string, number> {
  const words = wordsOf(text);
  const letters = words.flatMap((word) => {
    const marked = `^${word}$`;
    return Array.from({ length: Math.max(0, marked.length - 2) }, (_, at) => `#${marked.slice(at, at + 3)}`);
  });
  const counts = new Map<string, number>();
  for (const name of [...words, ...runsOf(words, 2), ...letters])
    counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
