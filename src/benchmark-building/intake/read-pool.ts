import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { describeIssues, readJsonLines, unreadable } from "../../files/index.ts";
import type { Offered, Refusal } from "./item.ts";

const text = z.string().optional();
const line = z
  .object({
    image: text,
    images: z.array(z.string()).optional(),
    question: text,
    query: text,
    text,
    reference: text,
    answer: text,
    category: text,
    source: text,
    consent: z.boolean().optional(),
  })
  .refine(({ image, images }) => image !== undefined || images?.length, { message: 'needs "image"' });

const hint =
  'A line is {"image": "a.jpg", "question": "…"}, and may have "reference", "category", "source" and "consent"; in a folder, a.txt is the question about a.jpg.';

export interface ReadOffer extends Offered {
  readonly refusal?: Refusal;
}

/**
 * Questions about images: of JSON lines, whose images lie beside them or in `images`, or of a folder, where a text has the
 * name of its image. @throws LlavaError "data" naming file and line
 */
export async function* readPool(path: string, images?: string): AsyncGenerator<ReadOffer> {
  const info = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause, "data");
  });
  if (info.isDirectory()) return yield* folderOf(path);
  for await (const { value, line: number } of readJsonLines(path)) {
    const origin = `${path}:${number}`;
    const { success, data, error } = line.safeParse(value);
    if (!success) throw new LlavaError("data", `${origin}: ${describeIssues(error)}`, { hint });
    const { image, images: several = [], question, query, text, reference, answer, ...rest } = data;
    const asked = (question ?? query ?? text ?? "").trim();
    const names = image === undefined ? several : [image, ...several];
    yield {
      origin,
      image: resolve(images ?? dirname(path), names[0]!),
      question: asked,
      reference: reference ?? answer,
      ...rest,
      ...(names.length > 1
        ? { refusal: "several-images" as const }
        : asked === ""
          ? { refusal: "no-question" as const }
          : rest.consent === false && { refusal: "no-consent" as const }),
    };
  }
}

async function* folderOf(path: string): AsyncGenerator<ReadOffer> {
  const names = (await readdir(path)).sort();
  const texts = new Set(names.filter((name) => name.endsWith(".txt")));
  if (texts.size === 0) throw new LlavaError("data", `${path}: has no questions about its images`, { hint });
  for (const name of names) {
    if (!/\.(jpe?g|png|webp|gif|bmp|tiff?|avif)$/i.test(name)) continue;
    const beside = name.replace(/\.\w+$/, ".txt");
    const question = texts.has(beside) ? (await readFile(join(path, beside), "utf8")).trim() : "";
    const origin = join(path, name);
    yield {
      origin,
      image: resolve(origin),
      question,
      ...(question === "" && { refusal: "no-question" as const }),
    };
  }
}
