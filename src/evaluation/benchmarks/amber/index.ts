import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { benchmark } from "../../benchmark.ts";
import { question } from "../../prompting/index.ts";
import { aggregateDescriptions, describe } from "./description.ts";
import { aggregateJudgements, judge } from "./judgement.ts";
import { type DescriptionItem, type JudgementItem, loadDescriptions, loadJudgements } from "./load.ts";
import { readDescriptions, readJudgements } from "./responses.ts";

const common = {
  source:
    'Wang et al. 2023, "AMBER: An LLM-free Multi-dimensional Benchmark for MLLMs Hallucination Evaluation"; github.com/junyangwang0410/AMBER',
  published: [],
};

export default [
  benchmark<DescriptionItem>({
    ...common,
    name: "amber",
    title: "AMBER, descriptions (CHAIR, Hal, Cog: less is better)",
    files: [
      "data/query/query_generative.json, data/annotations.json, data/relation.json, data/safe_words.txt",
      "image/",
    ],
    splits: ["generative"],
    headline: "chair",
    differences: [
      "nouns are found and put in the singular by wink-nlp in lower-case text; the original uses NLTK's tagger and WordNet's lemmatizer, which leave a noun with a capital as it is",
      "words mean the same only where relation.json says so; the original also takes words for the same whose vectors in spaCy's en_core_web_lg are alike by more than 0.8, which can only lessen CHAIR and Hal and raise Cover and Cog",
    ],
    load: loadDescriptions,
    prompt: ({ query, image }) => question(query, image),
    sampling: { maxTokens: 512, temperature: 0 },
    outcome: describe,
    aggregate: aggregateDescriptions,
    readPredictions: readDescriptions,
  }),
  benchmark<JudgementItem>({
    ...common,
    name: "amber-yes-no",
    title: "AMBER, questions of yes and no",
    files: ["data/query/query_discriminative*.json, data/annotations.json", "image/"],
    splits: ["all", "existence", "attribute", "relation"],
    compat:
      'only "Yes" and "No" are read; F1 is made of rounded percentages and lessened by the original\'s epsilons',
    headline: "accuracy",
    load: loadJudgements,
    prompt: ({ query, image }) => question(query + shortAnswerPrompt, image),
    sampling: { maxTokens: 16, temperature: 0 },
    outcome: judge,
    aggregate: aggregateJudgements,
    readPredictions: readJudgements,
  }),
];
