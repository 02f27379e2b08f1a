import {
  type Benchmark,
  benchmark,
  type DatasetOptions,
  type Metric,
  type Outcome,
} from "../../benchmark.ts";
import { captionDifferences, captionMetrics, captionOutcome } from "../../metrics/index.ts";
import { question } from "../../prompting/index.ts";
import { pythonFloatText, roundHalfEven } from "../../python/index.ts";
import { holdsCentre, overlap, readBox } from "./box.ts";
import {
  loadExpressions,
  loadRegions,
  type RefCocoItem,
  type ReferenceFiles,
  type RegionItem,
} from "./load.ts";

const thresholds = [0.5, 0.3, 0.7, 0.9];

function outcome({ id, box }: RefCocoItem, answer: string): Outcome {
  const found = readBox(answer);
  const iou = found === undefined ? 0 : overlap(box, found);
  const truth = `[${box.map((corner) => corner.toFixed(2)).join(", ")}]`;
  const values = { iou, centre: found !== undefined && holdsCentre(box, found) ? 1 : 0 };
  const parsed = found === undefined ? undefined : `[${found.join(", ")}]`;
  return { id, parsed, truth, values, credit: iou >= 0.5 ? 1 : 0 };
}

function aggregate(outcomes: readonly Outcome[]): Metric[] {
  const count = outcomes.length;
  const mean = (name: string, value: (outcome: Outcome) => number): Metric => ({
    name,
    value: (100 * outcomes.reduce((sum, one) => sum + value(one), 0)) / count,
    count,
    digits: 2,
  });
  const iou = ({ values }: Outcome): number => values?.["iou"] ?? 0;
  return [
    ...thresholds.map((least) => mean(`accuracy@${least}`, (one) => (iou(one) >= least ? 1 : 0))),
    mean("iou", iou),
    mean("centre", ({ values }) => values?.["centre"] ?? 0),
  ];
}

interface ReferenceSet extends Pick<Benchmark, "name" | "title" | "source" | "splits">, ReferenceFiles {}

/** Finding the object of each sentence, and naming each object, as LLaVA-1.5's training data asks for both. */
function referenceBenchmarks({ folder, by, name, title, ...about }: ReferenceSet): Benchmark[] {
  const common = {
    ...about,
    files: [`${folder}/refs(${by}).p, ${folder}/instances.json and train2014/`],
    published: [],
    compat:
      "boxes are relative to the image, not to the padded square that LLaVA-1.5 sees; as lmms-eval has it",
    sampling: { maxTokens: 64, temperature: 0 },
  };
  const complete = (options: DatasetOptions) => ({ ...options, split: options.split ?? about.splits[0]! });
  return [
    benchmark<RefCocoItem>({
      ...common,
      name,
      title,
      headline: "accuracy@0.5",
      load: (options) => loadExpressions(complete(options), { folder, by }),
      prompt: ({ expression, image }) =>
        question(
          `Please provide the bounding box coordinate of the region this sentence describes: ${expression}.`,
          image,
        ),
      outcome,
      aggregate,
    }),
    benchmark<RegionItem>({
      ...common,
      name: `${name}-naming`,
      title: `${title}, naming regions`,
      headline: "cider",
      differences: captionDifferences,
      load: (options) => loadRegions(complete(options), { folder, by }),
      prompt: ({ box, image }) =>
        question(`Please provide a short description for this region: [${box.map(side).join(", ")}].`, image),
      outcome: captionOutcome,
      aggregate: captionMetrics,
    }),
  ];
}

/** "0.75", "0.9", "1.0" */
const side = (value: number): string => pythonFloatText(roundHalfEven(value, 2));

const yu = 'Yu et al. 2016, "Modeling Context in Referring Expressions"; github.com/lichengunc/refer';

export default [
  {
    name: "refcoco",
    title: "RefCOCO",
    source: yu,
    splits: ["val", "testA", "testB"],
    folder: "refcoco",
    by: "unc",
  },
  {
    name: "refcoco-plus",
    title: "RefCOCO+",
    source: yu,
    splits: ["val", "testA", "testB"],
    folder: "refcoco+",
    by: "unc",
  },
  {
    name: "refcocog",
    title: "RefCOCOg",
    source:
      'Mao et al. 2016, "Generation and Comprehension of Unambiguous Object Descriptions"; split by UMD',
    splits: ["val", "test"],
    folder: "refcocog",
    by: "umd",
  },
].flatMap(referenceBenchmarks);
