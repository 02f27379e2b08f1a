import { LlavaError } from "../../errors.ts";

/** What an answer is scored by. @throws LlavaError "data" for a question of a split whose answers were not published */
export function known<Truth>(truth: Truth | undefined, id: string): Truth {
  if (truth !== undefined) return truth;
  throw new LlavaError("data", `question "${id}" has no right answer in the data folder`, {
    hint: "Scores of this split come from the benchmark's server: llava eval submit writes its file; or choose another split.",
  });
}

/** What people answered, each answer once, for those who read reports. */
export function listAnswers(people: readonly string[]): string {
  const different: string[] = [];
  // Ten at most: a search of so short a list is quicker than a set of it, a million times.
  for (const answer of people) if (!different.includes(answer)) different.push(answer);
  return different.join(" | ");
}
