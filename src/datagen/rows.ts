import { type RowTurn, shortAnswerPrompt } from "../protocol/index.ts";
import { mulberry32, pick, seedOfText, shuffled } from "../random/index.ts";
import { byAgreement } from "./captions/agreement.ts";
import { type Scene, speciesOf } from "./captions/scene.ts";
import { asSentence } from "./language/grammar.ts";
import type { AskedQuestion } from "./questions/yes-no.ts";

/** A training sample in LLaVA's form. */
export interface ConversationRow {
  readonly id: string;
  /** Relative to the folder of images. */
  readonly image?: string;
  readonly video?: string;
  readonly conversations: readonly RowTurn[];
}

/** The first is LLaVA-1.5's for captions. */
export const briefInstructions = [
  "Provide a one-sentence caption for the provided image.",
  "Describe the image in one sentence.",
  "What does this picture show, in one sentence?",
  "Write a short caption for this photo.",
  "Give a brief description of the image.",
  "Sum up what can be seen here in a single sentence.",
  "Caption this picture.",
  "Say briefly what is happening in the photo.",
  "What is in this photo?",
];
const detailedInstructions = [
  "Describe the image in detail.",
  "Give a detailed description of the picture.",
  "What can be seen in this photo? Tell me all of it.",
  "Describe everything that the picture shows.",
  "Explain at length what is in the image.",
  "Write several sentences about this photo.",
];

type Turn = readonly [question: string, answer: string];

const shortTurn = ({ text, answer }: AskedQuestion): Turn => [text + shortAnswerPrompt, answer];
const sentenceTurn = ({ text, sentence }: AskedQuestion): Turn => [text, sentence];

/** Questions in one conversation at most: more make rows long without using the image better. */
const turnsPerRow = 8;
/** Photos of all that get a row of each other kind, one at most, beside captions and short answers. */
const share = { description: 0.15, sentences: 0.15, mixed: 0.15 };

export interface RowOptions {
  readonly seed: number;
  /** Short-answer questions in the rows of a photo, at most; all when left out. */
  readonly questionsPerPhoto?: number | undefined;
  /** Captions of a photo after a brief instruction; 2. */
  readonly captionsPerPhoto?: number | undefined;
}

/**
 * The rows of one photo: those captions that agree most with the others, after a brief instruction; short answers; and
 * of some photos a description, answers in sentences, and a conversation of all kinds.
 */
export function rowsOf(
  scene: Scene,
  questions: readonly AskedQuestion[],
  { seed, questionsPerPhoto, captionsPerPhoto = 2 }: RowOptions,
): ConversationRow[] {
  const random = mulberry32(seedOfText(seed, `rows ${scene.image}`));
  const captions = byAgreement(shuffled(goodCaptions(scene), random));
  const asked = shuffled(questions, random);
  const short = asked.slice(0, questionsPerPhoto).map(shortTurn);
  const caption = (index: number): Turn => [
    pick(briefInstructions, random),
    captions[index % captions.length]!,
  ];
  const first: Turn = [briefInstructions[0]!, captions[0]!];
  const conversations = Array.from({ length: captionsPerPhoto }, (_, i) => [i === 0 ? first : caption(i)]);
  for (let start = 0; start < short.length; start += turnsPerRow)
    conversations.push(promptedOnce(short.slice(start, start + turnsPerRow)));
  const kind = random();
  const description = kind < share.description ? describe(scene, captions) : undefined;
  if (description !== undefined) conversations.push([[pick(detailedInstructions, random), description]]);
  if (kind > 1 - share.sentences && asked.length > 0)
    conversations.push(shuffled(asked, random).slice(0, 3).map(sentenceTurn));
  // Each question once, so that no turn gives away another.
  if (kind > 0.5 && kind < 0.5 + share.mixed && asked.length > 3) {
    const mixed = shuffled(asked, random);
    const long = shuffled([caption(2), ...mixed.slice(2, 4).map(sentenceTurn)], random);
    conversations.push([...long, ...promptedOnce(mixed.slice(0, 2).map(shortTurn))]);
  }
  const name = scene.image.replace(/\.\w+$/, "");
  return conversations.map((turns, row) => ({
    id: `${name}-${row}`,
    image: scene.image,
    conversations: turns.flatMap(([question, answer], turn) => [
      { from: "human" as const, value: turn === 0 ? `<image>\n${question}` : question },
      { from: "gpt" as const, value: answer },
    ]),
  }));
}

/** The response-format prompt holds from its turn on, as in LLaVA-1.5's mixture. */
const promptedOnce = (turns: readonly Turn[]): Turn[] =>
  turns.map(([question, answer], turn) => [
    turn === 0 ? question : question.replace(shortAnswerPrompt, ""),
    answer,
  ]);

/** As sentences, without fragments where there are better ones. */
function goodCaptions({ captions }: Scene): string[] {
  const sentences = [...new Set(captions.map(asSentence))];
  const good = sentences.filter((text) => text.split(" ").length >= 5 && !/[^\x20-\x7e]/.test(text));
  return good.length > 0 ? good : sentences;
}

const filler = new Set("a an the of in on and with is are at to his her its their by while".split(" "));
const content = (sentence: string): Set<string> =>
  new Set(
    sentence
      .toLowerCase()
      .split(/[^a-z]+/)
      .filter((word) => word !== "" && !filler.has(word)),
  );

/** Two or three captions that add to each other; undefined where all say the same. */
function describe(scene: Scene, captions: readonly string[]): string | undefined {
  const order = [...captions].sort((one, other) => content(other).size - content(one).size);
  const chosen: string[] = [];
  const said = new Set<string>();
  for (const caption of order) {
    const words = content(caption);
    const fresh = [...words].filter((word) => !said.has(word));
    if (chosen.length > 0 && (fresh.length < 3 || fresh.length < words.size / 2)) continue;
    chosen.push(chosen.length === 0 ? caption : referring(caption, scene));
    for (const word of words) said.add(word);
    if (chosen.length === 3) break;
  }
  return chosen.length > 1 ? chosen.join(" ") : undefined;
}

/** "A dog runs." after another sentence about the only dog: "The dog runs." */
function referring(caption: string, { casts, captions, facts }: Scene): string {
  const subject = facts[captions.findIndex((text) => asSentence(text) === caption)]?.phrases[0];
  const concept = subject?.start === 0 ? subject.concept : undefined;
  const cast = casts.find((one) => concept !== undefined && speciesOf(one.concept) === speciesOf(concept));
  const sure = cast !== undefined && cast.number !== "unclear";
  return sure
    ? caption.replace(/^(An?|One|Two|Three|Four) (?!of)/, (_, word: string) =>
        /^(A|An|One)$/.test(word) ? "The " : `The ${word.toLowerCase()} `,
      )
    : caption;
}
