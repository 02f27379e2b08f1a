import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  asSentence,
  curate,
  englishReader,
  evaluationQuestions,
  readCaptions,
} from "../../../src/datagen/index.ts";
import { evaluateCaptions } from "../../../src/evaluation/index.ts";
import { readDataFile } from "../../../src/files/index.ts";
import { loadPretrained } from "../../../src/pretrained/index.ts";
import { defaultModel, resolveModel } from "../../../src/setup/index.ts";
import { type DType, fastDType } from "../../../src/torch/index.ts";
import { HeldOut } from "./held-out.ts";

/**
 * Measures the default model on photos that it was not trained on, everything that its card says in one go:
 *
 *   node models/llava-smol-135m/tools/evaluate-default.ts --captions Flickr8k.token.txt --only Flickr_8k.testImages.txt --images FOLDER
 *
 * Captions after a single-sentence prompt (CIDEr-D, CIDEr, BLEU-4, ROUGE-L), the loss of people's captions with the true
 * photo and with another, and questions made from the captions by rule (`llava data questions`): short answers with
 * and without the image, yes/no balanced, and how many words the answers have. An answer is right if it is the expected
 * one but for case and punctuation. Captions are greedy, and once more by the search of --beams beams (1: not). --photos
 * takes the first so many, --yes-no so many of those questions; --parts another folder of the same form as
 * models/llava-smol-135m.
 */

const { values: options } = parseArgs({
  options: {
    captions: { type: "string" },
    only: { type: "string" },
    images: { type: "string" },
    model: { type: "string", default: defaultModel },
    parts: { type: "string" },
    prompt: { type: "string", default: "Provide a one-sentence caption for the provided image." },
    dtype: { type: "string", default: fastDType().dtype },
    photos: { type: "string" },
    "yes-no": { type: "string", default: "1000" },
    "loss-photos": { type: "string", default: "100" },
    beams: { type: "string", default: "3" },
    out: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
if (!options.captions || !options.only || !options.images)
  throw new Error("--captions, --only and --images are needed");

const names = (await readDataFile(options.only)).split("\n").flatMap((line) => line.trim() || []);
const chosen = names.slice(0, options.photos === undefined ? names.length : Number(options.photos));
const captioned = await readCaptions(options.captions, new Set(chosen));
const byName = new Map(captioned.map((photo) => [photo.image, photo]));
const photos = chosen.map((image) => byName.get(image)!);
const written = photos.map(({ image, captions }) => ({ image, captions: captions.map(asSentence) }));
const all = [...evaluationQuestions(curate(photos, englishReader(), { seed: 0 }))];
const yesNo = all.filter(({ type }) => type === "yes/no").slice(0, Number(options["yes-no"]));
const questions = [...all.filter(({ type }) => type === "short"), ...yesNo];

const resolved = await resolveModel(options.model);
const parts = options.parts === undefined ? {} : { projector: join(options.parts, "projector.safetensors") };
using pretrained = await loadPretrained({ ...resolved, ...parts }, { dtype: options.dtype as DType });
const heldOut = new HeldOut(pretrained, options.images);

const captionPrompt = heldOut.promptIds(options.prompt);
const lossPhotos = written.slice(0, Number(options["loss-photos"]));
const loss = await heldOut.captionLosses(lossPhotos, captionPrompt, "<|im_end|>");
const captionQuestions = written.map(({ image }) => ({ image, inputIds: captionPrompt }));
const scoresOf = (captions: readonly string[]) =>
  evaluateCaptions(
    new Map(written.map(({ image }, i) => [image, captions[i]!])),
    new Map(written.map(({ image, captions: references }) => [image, references])),
  ).scores;
const captions = await heldOut.answers("captions", captionQuestions);
const scores = scoresOf(captions);
const beams = Number(options.beams);
const searched =
  beams > 1 ? await heldOut.answers("captions by beams", captionQuestions, { beams, batch: 16 }) : [];

const asked = questions.map(({ image, text }) => ({ image, inputIds: heldOut.promptIds(text) }));
const answers = await heldOut.answers("questions", asked, { maxTokens: 12 });
const short = questions.flatMap((question, i) => (question.type === "short" ? [{ question, i }] : []));
const blindAsked = short.map(({ question: { image, text } }) => ({
  image,
  inputIds: heldOut.promptIds(text, { blind: true }),
}));
const blindAnswers = await heldOut.answers("without image", blindAsked, { blind: true, maxTokens: 12 });

const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9 ]/g, "")
    .trim();
const share = (values: readonly boolean[]): number => values.filter(Boolean).length / values.length;
const isRight = (answer: string, i: number): boolean => plain(answer) === plain(questions[i]!.answer);
const recall = (expected: string): number =>
  share(
    questions.flatMap(({ type, answer }, i) =>
      type === "yes/no" && answer === expected ? [isRight(answers[i]!, i)] : [],
    ),
  );
const withImage = share(short.map(({ i }) => isRight(answers[i]!, i)));
const withoutImage = share(short.map(({ i }, at) => isRight(blindAnswers[at]!, i)));
const words = (text: string): number => text.split(/\s+/).filter(Boolean).length;
const byCategory = Object.fromEntries(
  [...Map.groupBy(questions.keys(), (i) => questions[i]!.category)].map(([category, of]) => [
    category,
    `${(100 * share(of.map((i) => isRight(answers[i]!, i)))).toFixed(1)} % of ${of.length}`,
  ]),
);
const report = {
  dtype: options.dtype,
  photos: photos.length,
  lossTrueImage: loss.own,
  lossOtherImage: loss.other,
  ...scores,
  ...(beams > 1 && { beams, byBeams: scoresOf(searched) }),
  captionsThatAreSentences: share(captions.map((text) => /^[A-Z].*[.!]$/.test(text) && words(text) >= 4)),
  shortQuestions: short.length,
  shortAccuracy: withImage,
  shortAccuracyWithoutImage: withoutImage,
  yesNoQuestions: questions.length - short.length,
  yesNoBalancedAccuracy: (recall("yes") + recall("no")) / 2,
  answersOfOneToThreeWords: share(answers.map((text) => words(text) >= 1 && words(text) <= 3)),
};
if (options.out !== undefined) {
  mkdirSync(options.out, { recursive: true });
  const save = (name: string, lines: readonly object[]) =>
    writeFileSync(join(options.out!, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  save(
    "captions.jsonl",
    written.map(({ image }, i) => ({
      image,
      caption: captions[i],
      ...(beams > 1 && { searched: searched[i] }),
    })),
  );
  save(
    "answers.jsonl",
    questions.map((question, i) => ({ ...question, given: answers[i] })),
  );
  save(
    "without-image.jsonl",
    short.map(({ question }, at) => ({ ...question, given: blindAnswers[at] })),
  );
}
if (options.json) console.log(JSON.stringify({ ...report, byCategory }));
else
  for (const [name, value] of [...Object.entries(report), ...Object.entries(byCategory)])
    console.log(`${name.padEnd(28)} ${shown(value)}`);

function shown(value: unknown): string {
  if (typeof value === "number") return String(Number(value.toFixed(4)));
  if (typeof value === "string") return value;
  return Object.entries(value as object)
    .map(([name, part]) => `${name} ${shown(part)}`)
    .join(", ");
}
