import { join } from "node:path";
import { readLines } from "../../../files/index.ts";
import {
  type BenchmarkItem,
  benchmark,
  type DatasetOptions,
  type Metric,
  type Outcome,
} from "../../benchmark.ts";
import {
  findFile,
  imageFolder,
  locateFile,
  readCocoCaptions,
  readCocoObjects,
  readCocoResults,
  within,
} from "../../dataset-files/index.ts";
import { percentage } from "../../metrics/index.ts";
import { question } from "../../prompting/index.ts";
import { objectsNamed } from "./objects.ts";

interface ChairItem extends BenchmarkItem {
  readonly image: string;
  /** Categories of the objects that are outlined in the image or named by a person. */
  readonly objects: readonly string[];
}

const inside = within(["", "annotations/", "coco/annotations/"]);

async function* load({ data, split = "val2014", answered }: DatasetOptions): AsyncGenerator<ChairItem> {
  const outlined = await readCocoObjects(locateFile(data, inside(`instances_${split}.json`)));
  const images = await readCocoCaptions(locateFile(data, inside(`captions_${split}.json`)));
  const chosen = await readChosen(data);
  const folder = imageFolder(data, [split, `coco/${split}`, "images"]);
  for (const { id, file, captions = [] } of images) {
    // Published scores are of a few hundred images of the split, chosen by whoever answered.
    if (chosen === undefined ? answered?.has(id) === false : !chosen.has(id)) continue;
    const objects = new Set([...(outlined.get(id) ?? []), ...captions.flatMap(objectsNamed)]);
    yield { id, image: join(folder, file), objects: [...objects].sort() };
  }
}

/** Ids of the images to ask about, a line each, where the folder has such a list. */
async function readChosen(data: string): Promise<Set<string> | undefined> {
  const path = findFile(data, ["chair-images.txt"]);
  if (path === undefined || !path.endsWith("chair-images.txt")) return undefined;
  const chosen = new Set<string>();
  for await (const { text } of readLines(path)) if (text.trim() !== "") chosen.add(text.trim());
  return chosen;
}

function outcome({ id, objects }: ChairItem, answer: string): Outcome {
  const named = objectsNamed(answer);
  const made = named.filter((name) => !objects.includes(name));
  const found = new Set(named.filter((name) => objects.includes(name))).size;
  return {
    id,
    credit: named.length === 0 ? 1 : 1 - made.length / named.length,
    parsed: named.map((name) => (objects.includes(name) ? name : `${name} (not there)`)).join(", "),
    truth: objects.join(", "),
    values: {
      named: named.length,
      made: made.length,
      found,
      objects: objects.length,
      words: answer.trim() === "" ? 0 : answer.trim().split(/\s+/).length,
    },
  };
}

function aggregate(outcomes: readonly Outcome[]): Metric[] {
  const count = outcomes.length;
  const sum = (value: (values: Readonly<Record<string, number>>) => number): number =>
    outcomes.reduce((total, { values = {} }) => total + value(values), 0);
  const metric = (name: string, part: number, whole: number): Metric => ({
    name,
    value: percentage(part, whole),
    count,
    digits: 1,
  });
  return [
    metric(
      "chair-i",
      sum(({ made = 0 }) => made),
      sum(({ named = 0 }) => named),
    ),
    metric(
      "chair-s",
      sum(({ made = 0 }) => (made > 0 ? 1 : 0)),
      count,
    ),
    metric(
      "recall",
      sum(({ found = 0 }) => found),
      sum(({ objects = 0 }) => objects),
    ),
    { name: "words", value: sum(({ words = 0 }) => words) / count, count, digits: 1 },
  ];
}

export default benchmark<ChairItem>({
  name: "chair",
  title: "CHAIR (objects that captions make up; less is better)",
  source: 'Rohrbach et al. 2018, "Object Hallucination in Image Captioning"; images and annotations of COCO',
  files: [
    "annotations/instances_val2014.json, annotations/captions_val2014.json and val2014/",
    "chair-images.txt, ids of the images to ask about; all of the split without it",
  ],
  splits: ["val2014", "val2017"],
  headline: "chair-i",
  differences: [
    "what captions call the 80 categories is listed by this project; the original has its own list of synonyms, so that scores differ a little",
    "plurals are made by rule from that list; the original puts a caption's words in the singular by the library pattern",
  ],
  published: [],
  load,
  prompt: ({ image }) => question("Please describe this image in detail.", image),
  sampling: { maxTokens: 512, temperature: 0 },
  outcome,
  aggregate,
  readPredictions: readCocoResults,
});
