import type { BuildOptions, PublishedItem } from "./build-options.ts";
import type { Rate } from "./contamination/decontaminate.ts";
import { refusals } from "./intake/item.ts";
import type { BuildReport } from "./report.ts";
import { personalKinds } from "./screening/personal-data.ts";

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const shown = ({ overlapping, of, interval: [low, high] }: Rate): string =>
  `${overlapping} of ${of} (${percent(low)} to ${percent(high)})`;

/** What a benchmark tells of itself to those who use it. */
export function cardOf(
  items: readonly PublishedItem[],
  report: BuildReport,
  { title = "A benchmark of questions about images", licence }: Pick<BuildOptions, "title" | "licence">,
): string {
  const { choices, editions, goodness, duplicates } = report;
  const sources = [...new Set(items.flatMap(({ source }) => (source === undefined ? [] : [source])))].sort();
  const reasons = Object.entries(report.refused).map(
    ([name, count]) => `${count} because ${refusals[name as keyof typeof refusals]}`,
  );
  const lines = [
    `# ${title}`,
    "",
    ...Object.entries(editions).map(
      ([name, { questions, images }]) => `- ${name}: ${questions} questions about ${images} images`,
    ),
    `- licence: ${licence ?? "not stated: ask whoever gave you this folder"}`,
    `- sources: ${sources.length > 0 ? sources.join(", ") : "not stated"}`,
    "",
    "Ask and judge: `llava eval run wilder --data . --split medium …`, `llava eval judge wilder …`.",
    "",
    "## How it was made",
    "",
    `${report.offered} questions were offered and ${report.taken} taken in${reasons.length > 0 ? ` (left out: ${reasons.join("; ")})` : ""}.`,
    `Personal data were looked for by rules: ${flagged(report)}. What was found gravely was ${choices.flagged === "reviewed" ? "left to reviewers" : "left out"}. Images hold nothing but their pixels.`,
    `${duplicates.dropped} questions that came twice were dropped (${duplicates.pairsOfImages} pairs of images are alike: perceptual hashes at most ${choices.likeness.hashBits} bits apart or descriptors of at least ${choices.likeness.descriptors}, and correlation of at least ${choices.likeness.correlation} where they lie over each other).`,
    `Of the ${report.candidates} that were left, weighted k-means chose (embedding ${choices.embedder}, images ${choices.imageShare} of it, seed ${choices.seed}): the mean distance to the nearest chosen question is ${goodness.coverage.toFixed(3)}, of random choices ${goodness.randomCoverage.toFixed(3)}, and of no choice below ${goodness.leastCoverage.toFixed(3)}; the mean weight by pixels ${goodness.meanWeight.toFixed(3)}, of all ${goodness.candidatesMeanWeight.toFixed(3)}.`,
    `References: ${Object.entries(report.references)
      .map(([name, count]) => `${count} ${name}`)
      .join(
        ", ",
      )}. ${choices.reviewers === 0 ? "Nobody has reviewed them." : `Each was reviewed by ${choices.reviewers} or more people.`}`,
    "",
    "## Overlap with training sets",
    "",
    ...(report.contamination.length === 0 ? ["None was compared."] : overlap(report)),
    "",
  ];
  return lines.join("\n");
}

const flagged = ({ flags }: BuildReport): string =>
  Object.entries(flags)
    .map(([name, count]) => `${count} with ${personalKinds[name as keyof typeof personalKinds] ?? name}`)
    .join(", ") || "none";

const overlap = ({ contamination, editions }: BuildReport): string[] => [
  "Of all questions that were taken in, with 95 % intervals; those that overlap were not chosen.",
  "",
  "| training set | rows | images | images that overlap | texts that overlap |",
  "|---|---|---|---|---|",
  ...contamination.map(
    ({ set, rows, images, imageRate, textRate }) =>
      `| ${set} | ${rows} | ${images} | ${shown(imageRate)} | ${shown(textRate)} |`,
  ),
  "",
  ...Object.entries(editions).map(([name, { overlap }]) => `- ${name}: ${shown(overlap)}`),
];
