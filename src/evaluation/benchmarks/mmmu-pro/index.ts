import type { Message } from "../../../protocol/index.ts";
import { benchmark, type Outcome, type Verdict } from "../../benchmark.ts";
import { question as ask, letteredOptions } from "../../prompting/index.ts";
import { accuracyWithGuesses } from "../mmmu/accuracy.ts";
import { guessedLetter } from "../mmmu/choice.ts";
import { interleave } from "../mmmu/interleave.ts";
import { chosenLetter } from "./choice.ts";
import { loadMmmuPro, type MmmuProItem, settings } from "./load.ts";
import { readMmmuProPredictions } from "./predictions.ts";

/** "direct" of mmmu-pro/prompts.yaml (Apache-2.0, Copyright the MMMU authors). */
const direct = "Answer with the option letter from the given choices directly.";
const lastLine =
  "The last line of your response should be of the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of options.";

function prompt({ question, options, images }: MmmuProItem): readonly Message[] {
  const shown = images[0];
  if (shown !== undefined) return ask(`${direct} ${lastLine}`, shown);
  if (question === undefined || Object.keys(images).length === 0) return [];
  return interleave(`${question}\n${letteredOptions(Object.values(options))}\n${direct}`, images);
}

function outcome(item: MmmuProItem, answer: string, verdict?: Verdict): Outcome {
  const { id, labels = {}, options, answer: truth, compat } = item;
  const chosen = chosenLetter(answer, options);
  const official = compat ? verdict?.["official"] : undefined;
  const parsed =
    official === undefined ? (chosen ?? guessedLetter(id, Object.keys(options))) : String(official);
  return {
    id,
    labels,
    parsed,
    truth: `${truth}. ${options[truth] ?? ""}`,
    credit: parsed === truth ? 1 : 0,
    values: { guessed: chosen === undefined ? 1 : 0 },
  };
}

export default benchmark<MmmuProItem>({
  name: "mmmu-pro",
  title: "MMMU-Pro",
  source:
    'Yue et al. 2024, "MMMU-Pro: A More Robust Multi-discipline Multimodal Understanding Benchmark"; dataset MMMU/MMMU_Pro. The paper\'s overall score is the mean of standard and vision',
  files: [
    ...Object.values(settings).map(({ folder }) => `${folder}/test-*.parquet`),
    "or, to score only, an output of the official code, which carries options and answers",
  ],
  splits: Object.keys(settings),
  headline: "accuracy",
  published: [],
  compat:
    "what no rule reads gets the letter that a file of outputs stores (pred_indexs), else the one that random.seed(42) draws in the order of the file; the original draws without a seed",
  load: loadMmmuPro,
  prompt,
  sampling: { maxTokens: 128, temperature: 0 },
  outcome,
  aggregate: accuracyWithGuesses,
  readPredictions: readMmmuProPredictions,
});
