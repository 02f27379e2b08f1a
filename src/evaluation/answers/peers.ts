import { LlavaError } from "../../errors.ts";
import { type Fields, idNames, isId } from "./answer-field.ts";

/** What a row of another evaluation tells of its question, by which it is found where ids differ. */
export interface Evidence {
  /** Ids that the row gives its question, the surest first. */
  readonly ids: readonly string[];
  /** The question's place in the dataset, from 0. */
  readonly place?: number | undefined;
  /** The question's words, or the whole prompt where `isPrompt`. */
  readonly question?: string | undefined;
  readonly isPrompt?: boolean;
  /** The right answer as the file has it. */
  readonly truth?: string | undefined;
}

export interface PeerAnswer extends Evidence {
  readonly text: string;
}

type AnswerId = ((row: Fields) => string | undefined) | undefined;

/** Whether a row is one of lmms-eval's samples: of its "logs", or of a line of `…samples_<task>.jsonl`. */
export const isSample = (row: Fields): boolean =>
  isId(row["doc_id"]) && "target" in row && ("filtered_resps" in row || "resps" in row);

/**
 * A sample of lmms-eval, whose `doc` (until it was left out), metrics and prompt tell the question; its `doc_id` is the
 * question's place in the dataset. The answer is what lmms-eval scored.
 * @throws LlavaError "data" where the model gave likelihoods and wrote nothing
 */
export function readSample(row: Fields, where: string, answerId: AnswerId): PeerAnswer {
  const text = firstText(row["filtered_resps"]) ?? firstText(row["resps"]);
  if (text === undefined)
    throw new LlavaError("data", `${where}: has likelihoods where an answer's text is needed`, {
      hint: "Give the samples of a task that lets the model write its answer (generate_until).",
    });
  const doc = asFields(row["doc"]);
  const metrics = Object.values(row)
    .map(asFields)
    .filter((value) => value !== undefined);
  const prompt = firstText(row["input"]) ?? firstText(row["arguments"]);
  const question = doc && firstText(doc["question"]);
  return {
    text,
    ids: doc
      ? [...own(answerId?.(doc)), ...idsIn(doc)]
      : metrics.flatMap((metric) => idsIn(metric)).slice(0, 1),
    place: Number(row["doc_id"]),
    question: question ?? prompt,
    isPrompt: question === undefined,
    truth: row["target"] === null ? undefined : String(row["target"]),
  };
}

/** A row of VLMEvalKit's predictions: its table of questions without the images and with the answer. */
export function readTableRow(row: Fields, text: string, answerId: AnswerId): PeerAnswer {
  const truth = row["answer"];
  return {
    text,
    ids: [...own(answerId?.(row)), String(row["index"]), ...idsIn({ ...row, index: undefined })],
    place: Number.isSafeInteger(Number(row["index"])) ? Number(row["index"]) : undefined,
    question: firstText(row["question"]),
    truth: isId(truth) ? String(truth) : undefined,
  };
}

const own = (id: string | undefined): string[] => (id === undefined ? [] : [id]);

const idsIn = (fields: Fields): string[] =>
  idNames.flatMap((name) => (isId(fields[name]) ? [String(fields[name])] : []));

const asFields = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;

/** The first text in lists of any depth: "B", ["B"], [["B", {…}]]. */
function firstText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  for (const element of value) {
    const text = firstText(element);
    if (text !== undefined) return text;
  }
  return undefined;
}
