import { type Benchmark, benchmark, type Metric, type Outcome } from "../../benchmark.ts";
import { jsonBytes, readCocoResults } from "../../files/index.ts";
import {
  type BleuCounts,
  bleuCounts,
  bleuOf,
  captionTokens,
  ciderOf,
  rougeLOf,
} from "../../metrics/index.ts";
import { known, question } from "../../parsing/index.ts";
import {
  type CaptionItem,
  type CaptionReader,
  loadCaptions,
  readCoco,
  readFlickr8k,
  readKarpathy,
  readTextCaps,
} from "./load.ts";

const sizes = [1, 2, 3, 4] as const;

function outcome({ id, captions, corpus }: CaptionItem, answer: string): Outcome {
  const written = known(captions, id);
  const caption = { prediction: captionTokens(answer), references: written.map(captionTokens) };
  const cider = ciderOf(caption, corpus.frequencies);
  const { matched, possible, predictedLength, referenceLength } = bleuCounts(caption);
  const values: Record<string, number> = {
    cider,
    rougeL: rougeLOf(caption),
    predictedLength,
    referenceLength,
  };
  for (const [index, size] of sizes.entries()) {
    values[`matched${size}`] = matched[index]!;
    values[`possible${size}`] = possible[index]!;
  }
  // Papers print a CIDEr of 1 as 100; few captions reach more, and none loses by it.
  return { id, credit: Math.min(1, cider), parsed: answer, truth: written.join(" | "), values };
}

/** METEOR and SPICE are left out: both need tables and parsers that exist in Java alone. */
function aggregate(outcomes: readonly Outcome[]): Metric[] {
  const count = outcomes.length;
  const metric = (name: string, share: number): Metric => ({ name, value: 100 * share, count, digits: 1 });
  const sum = (name: string): number =>
    outcomes.reduce((total, { values }) => total + (values?.[name] ?? 0), 0);
  const scores = bleuOf(outcomes.map(countsOf));
  return [
    metric("cider", sum("cider") / count),
    ...sizes.map((size, index) => metric(`bleu-${size}`, scores[index]!)),
    metric("rouge-l", sum("rougeL") / count),
  ];
}

function countsOf({ values = {} }: Outcome): BleuCounts {
  const four = (name: string): BleuCounts["matched"] => [
    values[`${name}1`] ?? 0,
    values[`${name}2`] ?? 0,
    values[`${name}3`] ?? 0,
    values[`${name}4`] ?? 0,
  ];
  return {
    matched: four("matched"),
    possible: four("possible"),
    predictedLength: values["predictedLength"] ?? 0,
    referenceLength: values["referenceLength"] ?? 0,
  };
}

interface CaptionSet extends Pick<Benchmark, "name" | "title" | "source" | "files" | "splits"> {
  readonly read: CaptionReader;
}

const captionBenchmark = ({ read, ...about }: CaptionSet): Benchmark =>
  benchmark<CaptionItem>({
    ...about,
    headline: "cider",
    published: [],
    load: (options) => loadCaptions({ ...options, split: options.split ?? about.splits[0]! }, read),
    prompt: ({ image }) => question("Provide a one-sentence caption for the provided image.", image),
    sampling: { maxTokens: 64, temperature: 0 },
    outcome,
    aggregate,
    readPredictions: readCocoResults,
    submission: {
      file: "captions.json",
      async write(items, answers) {
        const rows = items.map(({ id }) => ({
          image_id: /^\d+$/.test(id) ? Number(id) : id,
          caption: answers.get(id) ?? "",
        }));
        return jsonBytes(rows);
      },
    },
  });

const readCocoSplit: CaptionReader = (options) =>
  (options.split.startsWith("karpathy-") ? readKarpathy("coco", []) : readCoco)(options);

export default [
  captionBenchmark({
    name: "coco-caption",
    title: "COCO captions",
    source: 'Chen et al. 2015, "Microsoft COCO Captions: Data Collection and Evaluation Server"',
    files: [
      "annotations/captions_val2017.json, captions_val2014.json, or dataset_coco.json (Karpathy's splits)",
    ],
    splits: ["val2017", "val2014", "karpathy-test", "karpathy-val", "test2014"],
    read: readCocoSplit,
  }),
  captionBenchmark({
    name: "textcaps",
    title: "TextCaps",
    source: 'Sidorov et al. 2020, "TextCaps: a Dataset for Image Captioning with Reading Comprehension"',
    files: ["TextCaps_0.1_val.json and train_images/"],
    splits: ["val", "test"],
    read: readTextCaps,
  }),
  captionBenchmark({
    name: "flickr30k",
    title: "Flickr30k captions",
    source:
      'Young et al. 2014, "From image descriptions to visual denotations"; splits by Karpathy and Fei-Fei 2015',
    files: ["dataset_flickr30k.json and flickr30k-images/"],
    splits: ["test", "val"],
    read: readKarpathy("flickr30k", ["flickr30k-images", "flickr30k_images", "images"]),
  }),
  captionBenchmark({
    name: "flickr8k",
    title: "Flickr8k captions",
    source: 'Hodosh et al. 2013, "Framing Image Description as a Ranking Task"',
    files: ["Flickr8k.token.txt, Flickr_8k.testImages.txt and images/"],
    splits: ["test", "dev"],
    read: readFlickr8k,
  }),
];
