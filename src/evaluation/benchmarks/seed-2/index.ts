import { type ContentPart, letterPrompt, type Message } from "../../../protocol/index.ts";
import { benchmark } from "../../benchmark.ts";
import { jsonLineBytes } from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { chosenOption } from "../../parsing/index.ts";
import { letters } from "../../prompting/index.ts";
import { lastDimension, loadSeed2, type Seed2Item } from "./load.ts";

/** Images stand where the question says `<img>`, all others before it; options that are images stand behind their letters. */
function prompt({ question, options, images, shownOptions }: Seed2Item): readonly Message[] {
  if (question === undefined) return [];
  const pieces = question.split("<img>");
  const before = images.slice(0, images.length - (pieces.length - 1));
  const within = images.slice(before.length);
  const content: ContentPart[] = before.map((image) => ({ type: "image", image }));
  const add = (text: string): void => {
    const last = content.at(-1);
    if (last?.type === "text") content[content.length - 1] = { type: "text", text: last.text + text };
    else if (text !== "") content.push({ type: "text", text });
  };
  for (const [index, piece] of pieces.entries()) {
    add(piece);
    const image = within[index];
    if (image !== undefined) content.push({ type: "image", image });
  }
  for (const [index, option] of options.entries()) {
    const image = shownOptions[index];
    add(`\n${letters[index]}. `);
    if (image !== undefined) content.push({ type: "image", image });
    if (image === undefined || !image.endsWith(option)) add(option);
  }
  add(letterPrompt);
  return [{ role: "user", content }];
}

export default benchmark<Seed2Item>({
  name: "seed-2",
  title: "SEED-Bench-2",
  source:
    'Li et al. 2023, "SEED-Bench-2: Benchmarking Multimodal Large Language Models"; dataset AILab-CVC/SEED-Bench-2. A split is a level with those below it',
  files: [
    "SEED-Bench_v2_level1_2_3.json, cc3m-image/ and SEED-Bench-2-image/",
    "or, to score only, a leaderboard's file with gt_answer",
  ],
  splits: Object.keys(lastDimension),
  headline: "accuracy",
  published: [],
  compat: "nothing but the letter alone is read, as the leaderboard takes it",
  load: loadSeed2,
  prompt,
  sampling: { maxTokens: 16, temperature: 0 },
  outcome({ id, labels = {}, options, answer: truth, compat }, answer) {
    const parsed = compat ? /^[A-D]$/.exec(answer)?.[0] : chosenOption(answer, options);
    return { id, labels, parsed, truth, credit: parsed === truth ? 1 : 0 };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
  repeatsQuestions: true,
  submission: {
    file: "results.json",
    write: async (items, given) =>
      jsonLineBytes(items.map(({ id }) => ({ question_id: id, prediction: given.get(id) ?? "" }))),
  },
});
