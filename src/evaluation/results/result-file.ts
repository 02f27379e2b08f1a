import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LlavaError } from "../../errors.ts";
import {
  AtomicFile,
  describeIssues,
  readJsonLines,
  writeAtomically,
  writeAtomicallyAsync,
} from "../../files/index.ts";
import { type Scored, type ScoreOptions, score } from "../scoring/index.ts";
import { type OutcomeRow, type Result, resultSchema } from "./result.ts";

/** "runs/pope.json" → "runs/pope.outcomes.jsonl" */
const outcomesPath = (path: string): string => `${path.replace(/\.json$/, "")}.outcomes.jsonl`;

const toData = { code: "data", makesFolder: true } as const;

/** Scores into a result file and the outcomes beside it, which are written as they come. */
export async function scoreToFile(path: string, options: ScoreOptions): Promise<Scored> {
  using rows = new AtomicFile(outcomesPath(path), toData);
  const scored = await score({ ...options, onOutcome: (row) => rows.write(`${JSON.stringify(row)}\n`) });
  rows.finish();
  writeJson(path, { ...scored.result, outcomes: basename(rows.path) });
  return scored;
}

/** A result and the outcomes beside it. */
export async function writeResult(
  path: string,
  result: Omit<Result, "outcomes">,
  rows: Iterable<OutcomeRow> | AsyncIterable<OutcomeRow>,
): Promise<void> {
  const outcomes = outcomesPath(path);
  async function* lines() {
    for await (const row of rows) yield `${JSON.stringify(row)}\n`;
  }
  await writeAtomicallyAsync(outcomes, lines(), toData);
  writeJson(path, { ...result, outcomes: basename(outcomes) });
}

const writeJson = (path: string, result: Result): void =>
  writeAtomically(path, [`${JSON.stringify(resultSchema.parse(result), null, 2)}\n`], toData);

/** @throws LlavaError "data" for a file that is no result */
export async function readResult(path: string): Promise<Result> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be read as a result: ${(cause as Error).message}`, {
      hint: "Give the JSON file that llava eval run or score wrote.",
      cause,
    });
  }
  const { success, data, error } = resultSchema.safeParse(value);
  if (success) return data;
  throw new LlavaError("data", `${path}: is no result: ${describeIssues(error)}`, {
    hint: "Give the JSON file that llava eval run or score wrote, not the outcomes or answers.",
  });
}

/** The outcomes of the result at `path`. @throws LlavaError "data" naming file and line */
export async function* readOutcomes(
  path: string,
  { outcomes }: Pick<Result, "outcomes">,
): AsyncGenerator<OutcomeRow> {
  const file = join(dirname(path), outcomes);
  for await (const { value, line } of readJsonLines(file)) {
    const { id, credit } = value as Partial<OutcomeRow>;
    if (typeof id !== "string" || typeof credit !== "number")
      throw new LlavaError("data", `${file}:${line}: is no outcome`, { hint: "Score the answers again." });
    yield value as OutcomeRow;
  }
}
