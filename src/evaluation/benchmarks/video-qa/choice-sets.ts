import { within } from "../../dataset-files/index.ts";

/** A dataset of questions with lettered options. */
export interface ChoiceSet {
  readonly name: string;
  readonly title: string;
  readonly source: string;
  /** Columns of the options. */
  readonly options: readonly string[];
  /** Original files by split; the test split may also be a table that IG-VLM distributes. */
  readonly files: Readonly<Record<string, readonly string[]>>;
  readonly videos: readonly string[];
  /** Slices of a question's type, the wider one first. */
  labels(type: string): Readonly<Record<string, string>>;
}

const five = ["a0", "a1", "a2", "a3", "a4"];

/** Causal, temporal and descriptive questions by the first letter; what is before and what after is one type. */
const causalOrTemporal = (type: string): Readonly<Record<string, string>> => ({
  kind: type.charAt(0),
  type: type === "TP" ? "TN" : type,
});

const tables = within(["", "multiple_choice_qa/", "data/multiple_choice_qa/"]);

export const choiceSets: readonly ChoiceSet[] = [
  {
    name: "nextqa-mc",
    title: "NExT-QA (multiple choice)",
    source: "Xiao et al. 2021, arXiv:2105.08276; github.com/doc-doc/NExT-QA",
    options: five,
    files: {
      val: ["val.csv", "dataset/nextqa/val.csv", ...tables("NExT_QA.csv")],
      test: ["test.csv", "dataset/nextqa/test.csv"],
    },
    videos: ["NExTVideo", "videos"],
    labels: causalOrTemporal,
  },
  {
    name: "intentqa",
    title: "IntentQA",
    source: 'Li et al. 2023, "IntentQA: Context-aware Video Intent Reasoning"',
    options: five,
    files: { test: ["test.csv", ...tables("IntentQA.csv")] },
    videos: ["videos", "NExTVideo"],
    labels: causalOrTemporal,
  },
  {
    name: "star",
    title: "STAR (situated reasoning)",
    source: "Wu et al. 2021, arXiv:2405.09711; the validation set as IG-VLM distributes it",
    options: ["a0", "a1", "a2", "a3"],
    files: { val: tables("STAR.csv") },
    videos: ["videos", "Charades_v1_480"],
    labels: (type) => ({ kind: type.split("_")[0]!, type }),
  },
];
