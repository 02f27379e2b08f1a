import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { check } from "./check.ts";
import { streamJsonBatches } from "./json-array.ts";
import { readJsonDocument } from "./json-document.ts";

/** Schemas say what is wrong with a row; guards pass those that are right, of which there are millions, at no cost. */
const id = z.union([z.string(), z.number()]).transform(String);
const questionSchema = z.object({ question_id: id, image_id: z.number(), question: z.string() });
const annotationSchema = z.object({
  question_id: id,
  answer_type: z.string().default("other"),
  answers: z.array(z.object({ answer: z.string() })),
});

const isId = (value: unknown): value is string | number =>
  typeof value === "string" || (typeof value === "number" && Number.isFinite(value));

function isQuestion(value: unknown): value is z.input<typeof questionSchema> {
  const row = value as Partial<z.input<typeof questionSchema>> | null;
  return isId(row?.question_id) && Number.isFinite(row?.image_id) && typeof row?.question === "string";
}

function isAnnotation(value: unknown): value is z.output<typeof annotationSchema> {
  const row = value as Partial<z.output<typeof annotationSchema>> | null;
  if (!isId(row?.question_id) || typeof row?.answer_type !== "string" || !Array.isArray(row.answers))
    return false;
  for (const answer of row.answers) if (typeof answer?.answer !== "string") return false;
  return true;
}

export interface VqaQuestion {
  readonly id: string;
  /** The number of a COCO image. */
  readonly imageId: number;
  readonly question: string;
  /** What ten people answered; undefined without a file of annotations, and for questions that it lacks. */
  readonly answers?: readonly string[];
  /** "yes/no", "number", "other" */
  readonly answerType?: string;
}

/** The questions and annotations of VQA v2 and of data sets in its format, which may be gzip-compressed. */
export async function* readVqaQuestions(
  questions: string,
  annotations?: string,
): AsyncGenerator<VqaQuestion> {
  const answers = annotations === undefined ? undefined : new Annotations(annotations);
  for await (const batch of batches(questions, "questions")) {
    for (const value of batch) {
      const row = isQuestion(value) ? value : check(questionSchema, value, questions);
      const question = { id: String(row.question_id), imageId: row.image_id, question: row.question };
      let found = answers?.take(question.id);
      while (answers && found === undefined && (await answers.more())) found = answers.take(question.id);
      yield found === undefined ? question : { ...question, ...found };
    }
  }
}

type Annotation = Required<Pick<VqaQuestion, "answers" | "answerType">>;

/** Annotations read as far as they are asked for; original files have the order of the questions, so that few wait. */
class Annotations {
  readonly #path: string;
  readonly #source: AsyncIterator<readonly unknown[]>;
  readonly #waiting = new Map<string, Annotation>();

  constructor(path: string) {
    this.#path = path;
    this.#source = batches(path, "annotations");
  }

  take(id: string): Annotation | undefined {
    const found = this.#waiting.get(id);
    this.#waiting.delete(id);
    return found;
  }

  async more(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (done) return false;
    for (const row of value) {
      const annotation = isAnnotation(row) ? row : check(annotationSchema, row, this.#path);
      const { question_id, answer_type, answers } = annotation;
      const written = answers.map(({ answer }) => answer);
      this.#waiting.set(String(question_id), { answers: written, answerType: answer_type });
    }
    return true;
  }
}

async function* batches(path: string, key: string): AsyncGenerator<readonly unknown[]> {
  if (!/\.(gz|gzip)$/.test(path)) return yield* streamJsonBatches(path, key);
  const document = await readJsonDocument(path);
  const rows = (document as Record<string, unknown> | null)?.[key];
  if (!Array.isArray(rows))
    throw new LlavaError("data", `${path}: holds no list "${key}"`, { hint: "Fetch the original file." });
  yield rows;
}
