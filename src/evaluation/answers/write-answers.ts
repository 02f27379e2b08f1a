import { writeAtomicallyAsync } from "../../files/index.ts";

export interface AnswerRow {
  readonly id: string;
  readonly prompt: string;
  readonly text: string;
  readonly model: string;
  /** Unique, and the same whenever the answer is written again. */
  readonly answerId: string;
}

/** LLaVA's answer file: a row each of question_id, prompt, text, answer_id, model_id, metadata. */
export const writeAnswers = (
  path: string,
  rows: Iterable<AnswerRow> | AsyncIterable<AnswerRow>,
): Promise<void> => writeAtomicallyAsync(path, lines(rows), { code: "data", makesFolder: true });

async function* lines(rows: Iterable<AnswerRow> | AsyncIterable<AnswerRow>): AsyncGenerator<string> {
  for await (const { id, prompt, text, model, answerId } of rows) {
    // Original ids are numbers wherever they look like one.
    const question = /^(0|[1-9]\d{0,14})$/.test(id) ? Number(id) : id;
    const row = {
      question_id: question,
      prompt,
      text,
      answer_id: answerId,
      model_id: model,
      metadata: {},
    };
    yield `${JSON.stringify(row)}\n`;
  }
}
