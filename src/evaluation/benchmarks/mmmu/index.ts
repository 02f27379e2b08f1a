import { letterPrompt, type Message, shortAnswerPrompt } from "../../../protocol/index.ts";
import { benchmark, type Outcome, type Verdict } from "../../benchmark.ts";
import { letteredOptions, letters } from "../../prompting/index.ts";
import { modelZooScores, publishedScores } from "../../published-scores.ts";
import { accuracyWithGuesses } from "./accuracy.ts";
import { chosenLetter, guessedLetter, type Options } from "./choice.ts";
import { interleave } from "./interleave.ts";
import { loadMmmu, type MmmuItem } from "./load.ts";
import { isOpenAnswerRight } from "./open-answer.ts";
import { readMmmuPredictions } from "./predictions.ts";

function prompt({ question, options, images, multipleChoice }: MmmuItem): readonly Message[] {
  if (question === "") return [];
  const text = multipleChoice
    ? `${question}\n${letteredOptions(Object.values(options ?? {}))}\n${letterPrompt}`
    : `${question}\n${shortAnswerPrompt}`;
  return interleave(text, images);
}

/** Letters stand for themselves where the options are not known; "I" is then a word, unless it is bracketed or alone. */
function optionsOf(answer: string): Options {
  const known = letters.slice(0, /^\W*I\W*$|\(I\)/.test(answer) ? 9 : 8);
  return Object.fromEntries(known.map((letter) => [letter, `(${letter})`]));
}

/** What an answer chooses, and the letters to guess among where it chooses none. */
interface Reading {
  readonly chosen: string | undefined;
  readonly letters: readonly string[];
}

function read({ options, compat }: MmmuItem, answer: string, verdict: Verdict = {}): Reading {
  const { letters: carried, own } = verdict;
  if (options !== undefined)
    return { chosen: chosenLetter(answer, options, !compat), letters: Object.keys(options) };
  if (carried !== undefined)
    return { chosen: own === undefined ? undefined : String(own), letters: [...String(carried)] };
  return { chosen: chosenLetter(answer, optionsOf(answer), !compat), letters: letters.slice(0, 4) };
}

function outcome(item: MmmuItem, answer: string, verdict?: Verdict): Outcome {
  const { id, labels = {}, answers, multipleChoice } = item;
  const common = { id, labels, truth: answers.join(" | ") };
  if (!multipleChoice)
    return {
      ...common,
      credit: isOpenAnswerRight(answer, answers) ? 1 : 0,
      parsed: answer.trim(),
      values: { guessed: 0 },
    };
  const official = item.compat ? verdict?.["official"] : undefined;
  const { chosen, letters: offered } = read(item, answer, verdict);
  const parsed = official === undefined ? (chosen ?? guessedLetter(id, offered)) : String(official);
  const guessed = official === undefined ? Number(chosen === undefined) : Number(verdict?.["guessed"] ?? 0);
  return { ...common, credit: answers.includes(parsed ?? "") ? 1 : 0, parsed, values: { guessed } };
}

const blog = "LLaVA-NeXT blog, January 2024";

export default benchmark<MmmuItem>({
  name: "mmmu",
  title: "MMMU (validation)",
  source:
    'Yue et al. 2023, "MMMU: A Massive Multi-discipline Multimodal Understanding and Reasoning Benchmark"; dataset MMMU/MMMU, a folder for each of 30 subjects',
  files: [
    "<Subject>/validation-00000-of-00001.parquet for each of 30 subjects, also inside MMMU/ or mmmu/",
    "or, to score only, answer_dict_val.json",
  ],
  splits: ["validation"],
  headline: "accuracy",
  published: [
    ...publishedScores("accuracy", blog, { "LLaVA-1.5 13B": 36.4 }),
    ...modelZooScores({ accuracy: [null, null, null, null, 35.8, 36.2, 35.3, 51.1] }),
    ...publishedScores("accuracy", "CogVLM2 README", {
      "LLaVA-NeXT LLaMA-3-8B": 41.7,
      "LLaVA-NeXT Qwen1.5-110B": 49.1,
    }),
    ...publishedScores("accuracy", blog, { "GPT-4V": 56.8 }),
  ],
  compat:
    'a letter with a point after it ("C. Blue") is not read, as by MMMU\'s own code; where a file of outputs carries its options, what no rule reads gets the letter that the file stores or random.seed(42) draws there',
  load: loadMmmu,
  prompt,
  sampling: { maxTokens: 128, temperature: 0 },
  outcome,
  aggregate: accuracyWithGuesses,
  readPredictions: readMmmuPredictions,
});
