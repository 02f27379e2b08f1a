import { LlavaError } from "../../errors.ts";
import type { Benchmark, BenchmarkItem, DatasetOptions } from "../benchmark.ts";
import { flattenPrompt } from "../prompting/index.ts";
import { pythonStrings } from "../python/index.ts";
import type { Evidence } from "./peers.ts";

/** A question of the benchmark as rows of other evaluations are compared with it. */
interface Known {
  readonly id: string;
  /** Words of the question alone, and of the whole prompt; empty where the data folder has answers only. */
  readonly question: string;
  readonly prompt: string;
  readonly truths: readonly string[];
}

const words = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");

/**
 * The ids of the questions that rows of another evaluation answer. Of the ways in which such rows name a question (each
 * id they have, and their place in the dataset) the first is taken by which all of them find a question that is theirs
 * by its words or, where words are not known on both sides, by its right answer. A place alone proves nothing.
 * @throws LlavaError "data" naming the first row that fits no question
 */
export async function findQuestions(
  benchmark: Benchmark,
  load: DatasetOptions,
  rows: readonly (Evidence & { readonly where: string })[],
): Promise<string[]> {
  const known: Known[] = [];
  for await (const item of benchmark.load(load)) known.push(describe(benchmark, item));
  const byId = new Map(known.map((question) => [question.id, question]));
  const depth = Math.max(...rows.map(({ ids }) => ids.length));
  const ways = Array.from({ length: depth }, (_, rank) => (row: Evidence) => byId.get(row.ids[rank] ?? ""));
  for (const way of ways) {
    const found = follow(rows, way, false);
    if (found !== undefined) return found;
  }
  const found = follow(rows, ({ place }) => known[place ?? -1], true);
  if (found !== undefined) return found;
  return refuse(benchmark, rows, byId, known);
}

/** undefined where a row finds no question, or one that is not its own. */
function follow(
  rows: readonly Evidence[],
  way: (row: Evidence) => Known | undefined,
  needsProof: boolean,
): string[] | undefined {
  const ids: string[] = [];
  let proofs = 0;
  for (const row of rows) {
    const question = way(row);
    const fit = question && compare(row, question);
    if (question === undefined || fit === "other") return undefined;
    if (fit === "same") proofs++;
    ids.push(question.id);
  }
  // A second answer to a question has the same id, one to another question does not.
  const distinct = new Set(rows.map(({ ids: own, place }) => JSON.stringify([own, place]))).size;
  if (new Set(ids).size < distinct) return undefined;
  return needsProof && proofs === 0 ? undefined : ids;
}

function compare(row: Evidence, known: Known): "same" | "other" | "unknown" {
  const asked = words(row.question ?? "");
  if (asked !== "" && known.question !== "") {
    const isSame = asked.includes(known.question) || (row.isPrompt !== true && known.prompt.includes(asked));
    return isSame ? "same" : "other";
  }
  if (row.truth === undefined || known.truths.length === 0) return "unknown";
  const given = (pythonStrings(row.truth) ?? [row.truth]).map(words);
  return given.some((truth) => known.truths.includes(truth)) ? "same" : "other";
}

function describe(benchmark: Benchmark, item: BenchmarkItem): Known {
  const { question, query, expression } = item as Readonly<Record<string, unknown>> & BenchmarkItem;
  const asked = [question, query, expression].find((text) => typeof text === "string") as string | undefined;
  return {
    id: item.id,
    question: words(asked ?? ""),
    prompt: words(flattenPrompt(benchmark.prompt(item)).text),
    truths: truthsOf(benchmark, item),
  };
}

/** The right answer in the forms that other evaluations give it: a letter, its place, the option's or accepted texts. */
function truthsOf(benchmark: Benchmark, item: BenchmarkItem): string[] {
  const truth = truthOf(benchmark, item);
  if (truth === undefined) return [];
  const [, letter, option] = /^([A-Z])(?:\. ([\s\S]*))?$/.exec(truth) ?? [];
  const accepted = truth.split(" | ");
  if (letter === undefined) return accepted.map(words);
  const place = String(letter.charCodeAt(0) - 65);
  return [letter, place, ...(option === undefined ? [] : [option])].map(words);
}

function truthOf(benchmark: Benchmark, item: BenchmarkItem): string | undefined {
  try {
    return benchmark.outcome(item, "", undefined).truth;
  } catch (error) {
    // Splits whose answers were not published have none to compare.
    if (error instanceof LlavaError) return undefined;
    throw error;
  }
}

function refuse(
  benchmark: Benchmark,
  rows: readonly (Evidence & { readonly where: string })[],
  byId: ReadonlyMap<string, Known>,
  known: readonly Known[],
): never {
  const questionOf = ({ ids, place }: Evidence): Known | undefined =>
    ids.map((id) => byId.get(id)).find((question) => question !== undefined) ?? known[place ?? -1];
  const stray = rows.find((row) => {
    const question = questionOf(row);
    return question === undefined || compare(row, question) === "other";
  });
  const { where, ids, place, question } = stray ?? rows[0]!;
  const named = ids.length > 0 ? `"${ids[0]}"` : `number ${place}`;
  const asked = question === undefined ? "" : ` (${JSON.stringify(question.slice(0, 80))})`;
  throw new LlavaError(
    "data",
    `${where}: answers question ${named}${asked}, which is not that of ${benchmark.name}`,
    {
      hint: "Other evaluations number questions by the tables that they read: give that table with --data (parquet files or a TSV), and check the split.",
    },
  );
}
