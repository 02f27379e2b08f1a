import { LlavaError } from "../errors.ts";
import { AnswerStore } from "./answer-store.ts";
import { readStored, type StoredAnswer } from "./stored.ts";

/**
 * Puts the answers of several stores, such as those of shards, into the one at `output`; what it holds stays. Of each
 * request the last answer of a store counts.
 * @returns how many were added
 * @throws LlavaError "data", naming both files, where two stores answer a question differently
 */
export async function mergeStores(inputs: readonly string[], output: string): Promise<number> {
  await using merged = await AnswerStore.open(output);
  const known = new Map<string, { readonly answer: StoredAnswer; readonly path: string }>();
  for (const answer of merged.answers()) known.set(answer.key, { answer, path: output });
  const added: StoredAnswer[] = [];
  for (const path of inputs)
    for (const answer of await answersOf(path)) {
      const other = known.get(answer.key);
      if (other === undefined) {
        known.set(answer.key, { answer, path });
        added.push(answer);
      } else if (other.answer.text !== answer.text)
        throw new LlavaError(
          "data",
          `${path}: answers question ${answer.id} differently from ${other.path}`,
          {
            hint: "The shards overlap, and the model is not deterministic; merge shards of one run.",
          },
        );
    }
  for (const answer of added) merged.append([answer]);
  return added.length;
}

async function answersOf(path: string): Promise<Iterable<StoredAnswer>> {
  const answers = new Map<string, StoredAnswer>();
  for await (const { records } of readStored(path))
    for (const record of records) if (!("error" in record)) answers.set(record.key, record);
  return answers.values();
}
