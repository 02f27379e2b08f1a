import { type Benchmark, benchmark, type Metric, type Outcome } from "../../benchmark.ts";
import { question } from "../../parsing/index.ts";
import { holdsCentre, overlap, readBox } from "./box.ts";
import { loadRefCoco, type RefCocoItem } from "./load.ts";

const thresholds = [0.5, 0.3, 0.7, 0.9];

function outcome({ id, box }: RefCocoItem, answer: string): Outcome {
  const found = readBox(answer);
  const iou = found === undefined ? 0 : overlap(box, found);
  const truth = `[${box.map((side) => side.toFixed(2)).join(", ")}]`;
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

interface ReferenceSet extends Pick<Benchmark, "name" | "title" | "source" | "splits"> {
  /** Its folder, and by whom it was split. */
  readonly folder: string;
  readonly by: string;
}

const referenceBenchmark = ({ folder, by, ...about }: ReferenceSet): Benchmark =>
  benchmark<RefCocoItem>({
    ...about,
    files: [`${folder}/refs(${by}).p, ${folder}/instances.json and train2014/`],
    headline: "accuracy@0.5",
    published: [],
    load: (options) => loadRefCoco({ ...options, split: options.split ?? about.splits[0]! }, folder, by),
    prompt: ({ expression, image }) =>
      question(
        `Please provide the bounding box coordinate of the region this sentence describes: ${expression}.`,
        image,
      ),
    sampling: { maxTokens: 64, temperature: 0 },
    outcome,
    aggregate,
  });

const yu = 'Yu et al. 2016, "Modeling Context in Referring Expressions"; github.com/lichengunc/refer';

export default [
  referenceBenchmark({
    name: "refcoco",
    title: "RefCOCO",
    source: yu,
    splits: ["val", "testA", "testB"],
    folder: "refcoco",
    by: "unc",
  }),
  referenceBenchmark({
    name: "refcoco-plus",
    title: "RefCOCO+",
    source: yu,
    splits: ["val", "testA", "testB"],
    folder: "refcoco+",
    by: "unc",
  }),
  referenceBenchmark({
    name: "refcocog",
    title: "RefCOCOg",
    source:
      'Mao et al. 2016, "Generation and Comprehension of Unambiguous Object Descriptions"; split by UMD',
    splits: ["val", "test"],
    folder: "refcocog",
    by: "umd",
  }),
];
