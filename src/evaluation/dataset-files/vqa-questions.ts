import { stat } from "node:fs/promises";
import { z } from "zod";
import { check } from "./check.ts";
import { readVqaAnnotations, type VqaAnnotation } from "./vqa-annotations.ts";
import { readAnnotationsAside } from "./vqa-annotations-aside.ts";
import { isCompressed, isId, rowId, streamRows } from "./vqa-rows.ts";

const questionSchema = z.object({ question_id: rowId, image_id: z.number(), question: z.string() });
type Row = z.input<typeof questionSchema>;

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

/** Bytes of annotations from which a thread of their own is worth its start. */
const large = 1 << 25;

/** The questions and annotations of VQA v2 and of data sets in its format, which may be gzip-compressed. */
export async function* readVqaQuestions(
  questions: string,
  annotations?: string,
  { aside = large }: { readonly aside?: number | undefined } = {},
): AsyncGenerator<VqaQuestion> {
  const answers = annotations === undefined ? undefined : new Annotations(await source(annotations, aside));
  try {
    for await (const batch of streamRows(questions, "questions")) {
      for (const value of batch) {
        const row = isRow(value) ? value : check(questionSchema, value, questions);
        const question = { id: String(row.question_id), imageId: row.image_id, question: row.question };
        let found = answers?.take(question.id);
        while (answers && found === undefined && (await answers.more())) found = answers.take(question.id);
        yield found === undefined
          ? question
          : { ...question, answers: found.answers, answerType: found.answerType };
      }
    }
  } finally {
    await answers?.close();
  }
}

function isRow(value: unknown): value is Row {
  const row = value as Partial<Row> | null;
  return isId(row?.question_id) && Number.isFinite(row?.image_id) && typeof row?.question === "string";
}

type Source = AsyncGenerator<readonly VqaAnnotation[]>;

async function source(path: string, aside: number): Promise<Source> {
  const isLarge = !isCompressed(path) && ((await stat(path).catch(() => undefined))?.size ?? 0) >= aside;
  return isLarge ? readAnnotationsAside(path) : readVqaAnnotations(path);
}

/** Annotations read as far as they are asked for; original files have the order of the questions, so that few wait. */
class Annotations {
  readonly #source: Source;
  readonly #waiting = new Map<string, VqaAnnotation>();

  constructor(source: Source) {
    this.#source = source;
  }

  take(id: string): VqaAnnotation | undefined {
    const found = this.#waiting.get(id);
    this.#waiting.delete(id);
    return found;
  }

  async more(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (done) return false;
    for (const annotation of value) this.#waiting.set(annotation.id, annotation);
    return true;
  }

  async close(): Promise<void> {
    await this.#source.return(undefined);
  }
}
