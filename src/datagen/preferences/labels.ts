import { z } from "zod";
import { wilsonInterval } from "../../evaluation/index.ts";
import { readJsonLines } from "../../files/index.ts";
import { mulberry32, seedOfText, shuffled } from "../../random/index.ts";
import { checked } from "../checked.ts";
import { mediumField } from "../instruct/item.ts";
import type { Pair } from "./pairs.ts";

const label = z.object({
  id: z.string(),
  first: z.string(),
  second: z.string(),
  better: z.enum(["first", "second"]).nullable(),
});

/** Which of two answers a person likes better; null where nobody said so yet. */
export type Label = z.infer<typeof label>;

const hint =
  'A line is {"id", "first", "second", "better": "first" or "second"}, as to-label.jsonl has them.';

/** @throws LlavaError "data" naming file and line */
export async function readLabels(path: string): Promise<Label[]> {
  const labels: Label[] = [];
  for await (const { value, line } of readJsonLines(path))
    labels.push(checked(label, value, `${path}:${line}`, hint));
  return labels;
}

/** Pairs for people to label, drawn, who are not told which side was chosen. */
export const pairsToLabel = (pairs: readonly Pair[], count: number, seed: number) =>
  shuffled(pairs, mulberry32(seedOfText(seed, "labels")))
    .slice(0, count)
    .map(({ asked, chosen, rejected, id }) => {
      const isTurned = mulberry32(seedOfText(seed, `label ${id}`))() < 0.5;
      const [first, second] = isTurned ? [rejected.text, chosen.text] : [chosen.text, rejected.text];
      return {
        id: asked.id,
        ...mediumField(asked.item),
        question: asked.question,
        first,
        second,
        better: null,
      };
    });

/** How many pairs that are labelled the labels order alike. */
export function agreement(pairs: readonly Pair[], labels: readonly Label[]) {
  const nameOf = (id: string, better: string, worse: string): string => JSON.stringify([id, better, worse]);
  const chosen = new Set(pairs.map((pair) => nameOf(pair.asked.id, pair.chosen.text, pair.rejected.text)));
  let [alike, otherwise] = [0, 0];
  for (const { id, first, second, better } of labels) {
    if (better === null) continue;
    const [liked, other] = better === "first" ? [first, second] : [second, first];
    if (chosen.has(nameOf(id, liked, other))) alike++;
    else if (chosen.has(nameOf(id, other, liked))) otherwise++;
  }
  const of = alike + otherwise;
  if (of === 0) return null;
  const [low, high] = wilsonInterval(alike / of, of);
  return { share: alike / of, of, low, high };
}
