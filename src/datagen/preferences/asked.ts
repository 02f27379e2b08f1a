import { join } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { readJsonLines } from "../../files/index.ts";
import { mulberry32, pick, seedOfText } from "../../random/index.ts";
import { checked } from "../checked.ts";
import type { SceneItem } from "../instruct/item.ts";
import { detailInstructions } from "../instruct/prompts/instructions.ts";

/** A question that models answer several times. */
export interface AskedQuestion {
  /** Unlike any other's. */
  readonly id: string;
  readonly item: SceneItem;
  readonly question: string;
  /** An answer that is known to be good. */
  readonly reference?: string;
}

/** A question, and answers that were given elsewhere. */
export interface GivenQuestion extends AskedQuestion {
  readonly given?: readonly { readonly model: string; readonly text: string }[];
}

export interface QuestionOptions {
  /** A file of questions, one a line. */
  readonly questions?: string | undefined;
  /** Asked about every item. */
  readonly question?: readonly string[] | undefined;
  /** Draws an instruction for a description where neither is given. */
  readonly seed: number;
}

const line = z
  .object({
    id: z.union([z.string(), z.number()]).optional(),
    image: z.string().optional(),
    video: z.string().optional(),
    question: z.string().min(1),
    reference: z.string().optional(),
    answers: z
      .array(
        z.union([
          z.string().transform((text) => ({ model: "", text })),
          z.object({ model: z.string().default(""), text: z.string() }),
        ]),
      )
      .optional(),
  })
  .refine(({ image, video }) => (image === undefined) !== (video === undefined), {
    message: 'needs "image" or "video"',
  });

const hint =
  'A line is {"image": "a.jpg", "question": "…", "reference": "…"}; the image is one of those with captions. "answers" may hold texts, or objects with "model" and "text".';

/** What is asked about items; questions of a file may bring answers, of which all do or none. @throws LlavaError "data" naming file and line */
export async function readQuestions(
  items: readonly SceneItem[],
  { questions, question, seed }: QuestionOptions,
): Promise<GivenQuestion[]> {
  if (questions !== undefined) return await fromFile(questions, items);
  return items.flatMap((item) => {
    const drawn = pick(detailInstructions, mulberry32(seedOfText(seed, `question ${item.id}`)));
    return (question ?? [drawn]).map((text, number) => ({
      id: `${item.id}-q${number}`,
      item,
      question: text,
    }));
  });
}

async function fromFile(path: string, items: readonly SceneItem[]): Promise<GivenQuestion[]> {
  const byName = new Map(items.map((item) => [item.image, item]));
  const asked = new Map<string, GivenQuestion>();
  const perItem = new Map<string, number>();
  for await (const { value, line: number } of readJsonLines(path)) {
    const where = `${path}:${number}`;
    const { id, image, video, question, reference, answers } = checked(line, value, where, hint);
    const item = byName.get((image ?? video)!);
    if (item === undefined)
      throw new LlavaError("data", `${where}: there are no captions of ${image ?? video}`, { hint });
    const order = perItem.get(item.id) ?? 0;
    perItem.set(item.id, order + 1);
    const name = String(id ?? `${item.id}-q${order}`);
    if (asked.has(name)) throw new LlavaError("data", `${where}: the id ${name} comes twice`, { hint });
    asked.set(name, {
      id: name,
      item,
      question,
      ...(reference !== undefined && { reference }),
      ...(answers && { given: answers }),
    });
  }
  const without = [...asked.values()].find(({ given }) => given === undefined);
  if (without && [...asked.values()].some(({ given }) => given))
    throw new LlavaError("data", `${path}: ${without.id} has no answers, and others have`, { hint });
  return [...asked.values()];
}

/** Where an item's medium lies. */
export const mediumOf = (
  { image, isVideo }: SceneItem,
  folder: string,
): string | { readonly path: string } => (isVideo ? { path: join(folder, image) } : join(folder, image));
