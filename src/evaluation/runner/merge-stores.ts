import { LlavaError } from "../../errors.ts";
import { AnswerStore, type StoredAnswer } from "./answer-store.ts";

/**
 * Puts the answers of several stores, such as those of shards, into the one at `output`; what it holds stays. Of each
 * question the last answer of a store counts.
 * @returns how many were added
 * @throws LlavaError "data", naming both files, where two stores answer a question differently
 */
export async function mergeStores(inputs: readonly string[], output: string): Promise<number> {
  await using merged = await AnswerStore.open(output);
  const known = new Map<string, { readonly answer: StoredAnswer; readonly path: string }>();
  for (const answer of merged.answers()) known.set(answer.id, { answer, path: output });
  const added: StoredAnswer[] = [];
  for (const path of inputs) {
    await using store = await AnswerStore.open(path);
    const own = new Map(Array.from(store.answers(), (answer) => [answer.id, answer]));
    for (const [id, answer] of own) {
      const other = known.get(id);
      if (other === undefined) {
        known.set(id, { answer, path });
        added.push(answer);
      } else if (other.answer.text !== answer.text)
        throw new LlavaError("data", `${path}: answers question ${id} differently from ${other.path}`, {
          hint: "These are different runs, or overlapping shards of a model that is not deterministic; merge shards of one run.",
        });
    }
  }
  for (const answer of added) merged.append([answer]);
  return added.length;
}
