import { type Benchmark, benchmark } from "../../benchmark.ts";
import { jsonBytes, readCocoResults } from "../../dataset-files/index.ts";
import { captionDifferences, captionMetrics, captionOutcome } from "../../metrics/index.ts";
import { question } from "../../prompting/index.ts";
import {
  type CaptionItem,
  type CaptionReader,
  loadCaptions,
  readCoco,
  readFlickr8k,
  readKarpathy,
  readTextCaps,
} from "./load.ts";

interface CaptionSet extends Pick<Benchmark, "name" | "title" | "source" | "files" | "splits"> {
  readonly read: CaptionReader;
}

const captionBenchmark = ({ read, ...about }: CaptionSet): Benchmark =>
  benchmark<CaptionItem>({
    ...about,
    headline: "cider",
    differences: captionDifferences,
    published: [],
    load: (options) => loadCaptions({ ...options, split: options.split ?? about.splits[0]! }, read),
    prompt: ({ image }) => question("Provide a one-sentence caption for the provided image.", image),
    sampling: { maxTokens: 64, temperature: 0 },
    outcome: captionOutcome,
    aggregate: captionMetrics,
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
