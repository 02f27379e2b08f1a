import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import { readDataFile, writeRows } from "../../../files/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { count, share, wholeNumber } from "../../frame/model-options.ts";
import { seedOption } from "../../frame/seed-option.ts";

interface Options {
  captions: string;
  images?: string;
  out?: string;
  evaluation?: string;
  only?: string;
  types?: string;
  perPhoto?: number;
  captionsPerPhoto?: number;
  yesNoShare?: number;
  seed: number;
}

export function configure(data: Command, { progress, report }: CommandContext): void {
  data
    .command("questions")
    .description("Make conversations and questions from several captions of each photo, by rule.")
    .requiredOption(
      "--captions <file>",
      "Flickr8k's token file, COCO's captions JSON, or LLaVA rows with one caption each",
    )
    .option("--images <folder>", "check that the images are there")
    .option("--out <file>", "write training rows (.json or .jsonl)")
    .option("--evaluation <file>", "write questions with their answers, a line each (.jsonl)")
    .option("--only <file>", "take the images that this file lists, a name a line")
    .option("--types <list>", "kinds of questions, with commas between them; all when left out")
    .option(
      "--per-photo <count>",
      "short-answer questions in the training rows of a photo, at most; all when left out",
      count,
    )
    .option("--captions-per-photo <count>", "captions in the training rows of a photo (2)", wholeNumber)
    .option(
      "--yes-no-share <share>",
      "share of the photos that are asked one yes/no question with one answer, at most (0.06)",
      share,
    )
    .addOption(seedOption())
    .addHelpText(
      "after",
      `
Example:
  llava data questions --captions Flickr8k.token.txt --only Flickr_8k.trainImages.txt --out train.json`,
    )
    .action(
      async ({
        captions,
        images,
        out,
        evaluation,
        only,
        types,
        perPhoto,
        captionsPerPhoto,
        yesNoShare,
        seed,
      }: Options) => {
        if (out === undefined && evaluation === undefined)
          throw new LlavaError("usage", "nothing to write", { hint: "Give --out, --evaluation or both." });
        const datagen = await import("../../../datagen/index.ts");
        const wanted = types?.split(",").map((type) => type.trim());
        const known: readonly string[] = datagen.questionTypes;
        const unknown = wanted?.find((type) => !known.includes(type));
        if (unknown !== undefined)
          throw new LlavaError("usage", `--types: there is no "${unknown}"`, {
            hint: `Choose from ${known.join(", ")}.`,
          });
        const photos = await datagen.readCaptions(
          captions,
          only === undefined ? undefined : await readNames(only),
        );
        if (images !== undefined) checkImages(photos, images);
        const read = datagen.englishReader();
        const reading = progress({ label: "captions", total: photos.length, unit: "photos" });
        const curated = datagen.curate(photos, read, {
          seed,
          yesNoShare,
          types: datagen.questionTypes.filter((type) => wanted?.includes(type) ?? true),
          onPhoto: () => reading.increment(),
        });
        reading.stop();
        for (const [category, count] of countBy(curated.questions.map(({ category: name }) => name)))
          report(`${category}: ${count} questions`);
        if (out !== undefined) {
          const rows = datagen.trainingRows(curated, read, {
            seed,
            questionsPerPhoto: perPhoto,
            captionsPerPhoto,
          });
          const written = await writeRows(out, rows);
          report(`${out}: ${written} rows of ${photos.length} photos`);
        }
        if (evaluation !== undefined) {
          const written = await writeRows(evaluation, datagen.evaluationQuestions(curated));
          report(`${evaluation}: ${written} questions`);
        }
      },
    );
}

async function readNames(path: string): Promise<Set<string>> {
  const lines = (await readDataFile(path)).split("\n");
  return new Set(lines.flatMap((line) => line.trim() || []));
}

function checkImages(photos: readonly { image: string }[], folder: string): void {
  const missing = photos.filter(({ image }) => !existsSync(join(folder, image)));
  if (missing.length > 0)
    throw new LlavaError("data", `${folder}: lacks ${missing.length} images, such as ${missing[0]!.image}`, {
      hint: "Give the folder of the images, or leave out those that are missing with --only.",
    });
}

function countBy(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
