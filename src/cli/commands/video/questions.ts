import { dirname, resolve } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { describeIssues, jsonObjects, parseJson } from "../../../files/index.ts";

/** A question about a video, of which any of the answers is right. */
export interface VideoQuestion {
  readonly id: string;
  readonly video: string;
  readonly text: string;
  readonly answers: readonly string[];
}

const text = z.union([z.string().min(1), z.number()]).transform(String);
const schema = z.object({
  question_id: text.optional(),
  id: text.optional(),
  video: z.string().min(1),
  text: z.string().min(1),
  answer: z.union([text.transform((answer) => [answer]), z.array(text).min(1)]),
});

/**
 * Rows of `video`, `text` and `answer`, or a list of them; paths of videos count from the file's folder.
 * @throws LlavaError "data" naming the row that is none
 */
export async function readVideoQuestions(path: string): Promise<VideoQuestion[]> {
  const questions: VideoQuestion[] = [];
  for await (const spans of jsonObjects(path))
    for (const { bytes, problem, place } of spans) {
      const where = `${path}: ${place.startsWith("row") ? place : `line ${place}`}`;
      const refuse = (what: string): never => {
        throw new LlavaError("data", `${where}: ${what}`, {
          hint: 'A row is {"id", "video": "walk.mp4", "text": "What …?", "answer": "…" or a list of them}.',
        });
      };
      if (problem !== undefined) refuse(problem);
      const row = schema.safeParse(jsonOf(bytes, refuse));
      if (!row.success) refuse(describeIssues(row.error));
      const { question_id, id = question_id, video, text, answer } = row.data!;
      questions.push({
        id: id ?? place,
        video: resolve(dirname(path), video),
        text,
        answers: answer,
      });
    }
  if (questions.length === 0) throw new LlavaError("data", `${path}: holds no questions`);
  return questions;
}

function jsonOf(bytes: Buffer, refuse: (what: string) => never): unknown {
  try {
    return parseJson(bytes.toString("utf8"));
  } catch (error) {
    return refuse(`not valid JSON: ${(error as Error).message}`);
  }
}
