import { z } from "zod";
import type { Answer } from "../../benchmark.ts";
import { documentReader } from "../../dataset-files/index.ts";
import { paraphraseOf } from "./item.ts";
import { VideoCounter } from "./video-counter.ts";

const id = z.string().optional();
const rowSchema = z.union([
  z.object({ video_name: z.string(), question_id: id, pred1: z.string(), pred2: z.string() }),
  z.object({ video_name: z.string(), question_id: id, pred: z.string() }),
]);

/** Video-ChatGPT's list: {video_name, pred} for each question, {video_name, pred1, pred2} for each pair of questions. */
export const readPredictions = documentReader(z.array(rowSchema).min(1), answersOf);

function* answersOf(rows: readonly z.infer<typeof rowSchema>[]): Generator<Answer> {
  const counter = new VideoCounter();
  for (const row of rows) {
    const counted = counter.id(row.video_name);
    const key = row.question_id ?? counted;
    if ("pred" in row) yield { id: key, text: row.pred };
    else {
      yield { id: key, text: row.pred1 };
      yield { id: paraphraseOf(key), text: row.pred2 };
    }
  }
}
