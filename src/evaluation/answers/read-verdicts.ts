import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { readJsonLines } from "../../files/index.ts";
import type { Benchmark, JudgedAnswer, Verdict } from "../benchmark.ts";
import { check } from "../dataset-files/index.ts";

export interface Verdicts {
  readonly path: string;
  readonly byId: ReadonlyMap<string, Verdict>;
  /** What the judge wrote, as far as the file has it. */
  readonly replies: ReadonlyMap<string, string>;
  /** The judge that the file names. */
  readonly judge: string | undefined;
}

const rowSchema = z.object({
  id: z.string(),
  verdict: z.record(z.string(), z.union([z.number(), z.string()])).optional(),
  reply: z.string().optional(),
  judge: z.string().optional(),
});

/**
 * A judge's verdicts: in the benchmark's own format (reviews, grades), or JSONL of {id, verdict, reply, judge}. Rows
 * without a verdict are replies that could not be read.
 * @throws LlavaError "data" naming file and line: an id twice, two judges, a row of another shape
 */
export async function readVerdicts(
  benchmark: Pick<Benchmark, "readVerdicts">,
  path: string,
): Promise<Verdicts> {
  const byId = new Map<string, Verdict>();
  const replies = new Map<string, string>();
  const judges = new Set<string>();
  const refuse = (problem: string, line?: number): never => {
    const where = line === undefined ? path : `${path}:${line}`;
    throw new LlavaError("data", `${where}: ${problem}`, { hint: "Verdicts of one judge, one a question." });
  };
  const rows = (await benchmark.readVerdicts?.(path)) ?? readRows(path);
  for await (const { id, verdict, reply, judge, line } of rows) {
    if (byId.has(id)) refuse(`a second verdict on question "${id}"`, line);
    byId.set(id, verdict);
    if (reply !== undefined) replies.set(id, reply);
    if (judge !== undefined && judges.add(judge).size > 1)
      refuse(`verdicts of several judges: ${[...judges].join(", ")}`, line);
  }
  if (byId.size === 0) refuse("holds no verdicts");
  return { path, byId, replies, judge: [...judges][0] };
}

async function* readRows(path: string): AsyncGenerator<JudgedAnswer> {
  for await (const { value, line } of readJsonLines(path)) {
    const { id, verdict, reply, judge } = check(rowSchema, value, `${path}:${line}`);
    if (verdict) yield { id, verdict, reply, judge, line };
  }
}
