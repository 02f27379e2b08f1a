import { join } from "node:path";
import { LlavaError } from "../errors.ts";
import type { BuildOptions, PublishedItem, Standing } from "./build-options.ts";
import { Chooser, type Selection } from "./editions.ts";
import { builtInEmbedder } from "./embedding/built-in.ts";
import { keeping } from "./embedding/kept.ts";
import { Kept } from "./kept.ts";
import { askReferences, isUsable, type Reference, type Teacher } from "./references.ts";
import { type BuildReport, reportOf } from "./report.ts";
import { type Decision, readDecisions, verdictOf, type Words } from "./review/decisions.ts";
import { buildFiles, writeTasks } from "./review/tasks.ts";
import { type Survey, survey } from "./survey.ts";
import { writeBenchmark } from "./write-benchmark.ts";
import { writeFindings } from "./write-findings.ts";

export interface Built {
  readonly report: BuildReport;
  /** Where the benchmark lies; undefined where review is still to come. */
  readonly benchmark: string | undefined;
  /** Questions that wait for reviewers, or that they disagree about. */
  readonly waiting: number;
}

/**
 * Makes a benchmark of questions that people asked: takes them in, screens them, drops what comes twice and what training sets
 * have, chooses editions by weighted k-means, asks for reference answers and, once people have looked at them, writes what
 * `llava eval run wilder` reads. What a reviewer drops is replaced by the next of its cluster.
 * @throws LlavaError "data" for a pool that is too small, "usage" for references that nobody is there to give
 */
export async function buildBenchmark(options: BuildOptions): Promise<Built> {
  const { folder, signal, reviewers, sizes, seed, starts } = options;
  const files = buildFiles(folder);
  using kept = new Kept(join(folder, "work", "kept.sqlite"));
  // The built-in one weighs words by all texts together, and costs nothing.
  const embedder = options.embedder === builtInEmbedder ? builtInEmbedder : keeping(options.embedder, kept);
  const found = await survey({ ...options, embedder, kept });
  const chooser = new Chooser(found, { sizes, seed, starts });
  const decisions = Map.groupBy(await readDecisions(files.decisions), ({ id }) => id);
  const excluded = new Set<string>();
  // Every round leaves out at least one more question, or is the last.
  for (;;) {
    let rounds = 0;
    const selection = chooser.choose(excluded, () => options.onStep?.("k-means", ++rounds));
    const references = await referencesFor(found, selection, options);
    const before = excluded.size;
    const standing = selection.chosen.map(({ item: { id, question } }) => {
      const reference = references.get(id)!;
      const words: Words = { question, reference: reference.text };
      const isGrave = found.flags.get(id)?.some((flag) => flag.isGrave) ?? false;
      return standingOf(id, words, decisions.get(id) ?? [], isUsable(reference) && !isGrave, reviewers);
    });
    for (const { id, state } of standing) if (state === "dropped") excluded.add(id);
    if (excluded.size > before) continue;
    await writeTasks(files, found, selection, references, signal);
    const waiting = standing.filter(({ state }) => state !== "kept").length;
    const report = reportOf({
      options,
      survey: found,
      selection,
      references,
      standing,
      goodness: chooser.goodness(selection),
    });
    await writeFindings(folder, found, selection, report);
    if (waiting > 0) return { report, benchmark: undefined, waiting };
    const published = selection.chosen.map((one, place): PublishedItem => {
      const { item, isSmall } = one;
      return { ...item, ...standing[place]!.words, isSmall };
    });
    await writeBenchmark(files, published, report, options);
    return { report, benchmark: files.benchmark, waiting: 0 };
  }
}

/** Without reviewers, what has no usable reference or is flagged gravely makes room for another. */
function standingOf(
  id: string,
  words: Words,
  decisions: readonly Decision[],
  isGood: boolean,
  reviewers: number,
): Standing {
  const verdict = verdictOf(decisions, words, reviewers);
  if (verdict.state === "kept") {
    // An edit may have left the reference empty, and one that was kept may have none.
    const isAnswered = verdict.words.reference.trim() !== "";
    return { id, state: isAnswered ? "kept" : "waiting", words: verdict.words };
  }
  if (verdict.state === "waiting" && reviewers === 0)
    return { id, state: isGood ? "kept" : "dropped", words };
  return { id, state: verdict.state, words };
}

async function referencesFor(
  { taken }: Survey,
  { chosen }: Selection,
  { teacher, folder, signal, onStep }: BuildOptions,
): Promise<ReadonlyMap<string, Reference>> {
  const items = chosen.map(({ item }) => item);
  const without = items.filter(({ reference }) => (reference ?? "").trim() === "");
  if (teacher !== undefined) {
    const ledgerPath = join(folder, "work", "ledger.sqlite");
    const onProgress: Teacher["onProgress"] = ({ done, failed }) =>
      onStep?.("references", done + failed, without.length);
    return await askReferences(items, { ...teacher, onProgress }, { ledgerPath, signal });
  }
  if (without.length > 0)
    throw new LlavaError("usage", `${without.length} of ${taken.length} questions have no reference answer`, {
      hint: "Name a teacher that sees images with --endpoint and --model, or give references with the questions.",
    });
  return new Map(items.map(({ id, reference = "" }) => [id, { text: reference, class: "given" }]));
}
