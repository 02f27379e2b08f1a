import { shortAnswerPrompt } from "../protocol/index.ts";
import { mulberry32, seedOfText } from "../random/index.ts";
import { type CaptionedPhoto, type Inventory, inventoryOf, readScene } from "./captions/scene.ts";
import type { Reader } from "./language/english-reader.ts";
import { balanceAnswers } from "./questions/balance.ts";
import { type QuestionType, questionTypes } from "./questions/question.ts";
import { askShort } from "./questions/short.ts";
import { type AskedQuestion, askAffirmation, askPresence, balanceYesNo } from "./questions/yes-no.ts";
import { type ConversationRow, type RowOptions, rowsOf } from "./rows.ts";

/** One line of a question file for `llava eval`. */
export interface EvaluationQuestion {
  readonly question_id: string;
  readonly image: string;
  readonly text: string;
  readonly answer: string;
  readonly category: string;
  readonly type: "yes/no" | "short" | "caption";
}

export interface CurationOptions {
  readonly seed: number;
  /** Kinds of questions; all when left out. */
  readonly types?: readonly QuestionType[] | undefined;
  /** Share of the photos that are asked one yes/no question with one answer, at most; 0.06, for variety. */
  readonly yesNoShare?: number | undefined;
  /** Called after each photo that was read. */
  readonly onPhoto?: (() => void) | undefined;
}

/** What photos name, with the questions that remain after balancing. */
export interface Curation {
  readonly photos: readonly Inventory[];
  readonly questions: readonly AskedQuestion[];
}

/**
 * Makes questions from several captions of each photo by rule, after COCO-QA (Ren et al. 2015, arXiv 1505.02074) and
 * POPE. A question is asked where two captions agree on its answer and none contradicts; answers are balanced, so that
 * they cannot be told from the question. The same photos and seed give the same questions.
 */
export function curate(photos: Iterable<CaptionedPhoto>, read: Reader, options: CurationOptions): Curation {
  const { seed, types = questionTypes, yesNoShare: share = 0.06, onPhoto } = options;
  const agreement = { captions: 2 };
  const inventories: Inventory[] = [];
  const short: AskedQuestion[] = [];
  const affirmations: AskedQuestion[] = [];
  for (const captioned of photos) {
    const scene = readScene(captioned, read);
    const photo = inventories.push(inventoryOf(scene)) - 1;
    for (const question of askShort(scene, agreement))
      short.push({ ...question, photo, category: question.type });
    for (const question of askAffirmation(
      scene,
      agreement,
      mulberry32(seedOfText(seed, `affirm ${scene.image}`)),
    ))
      affirmations.push({ ...question, photo, category: question.type });
    onPhoto?.();
  }
  const questions = [
    ...balanceAnswers(short, seed),
    ...askPresence(inventories, agreement, { seed, share }),
    ...balanceYesNo(affirmations, inventories.length, { seed, share }),
  ];
  return { photos: inventories, questions: questions.filter(({ type }) => types.includes(type)) };
}

/** Training rows, photo by photo. */
export function* trainingRows(
  { photos, questions }: Curation,
  read: Reader,
  options: RowOptions,
): Generator<ConversationRow> {
  const byPhoto = groupByPhoto(questions, photos.length);
  for (const [index, photo] of photos.entries())
    yield* rowsOf(readScene(photo, read), byPhoto[index]!, options);
}

/** Held-out questions, with the response-format prompt. */
export function* evaluationQuestions({ photos, questions }: Curation): Generator<EvaluationQuestion> {
  for (const [photo, ofPhoto] of groupByPhoto(questions, photos.length).entries())
    for (const [index, { text, answer, category, type }] of ofPhoto.entries())
      yield {
        question_id: `${photos[photo]!.image.replace(/\.\w+$/, "")}-${index}`,
        image: photos[photo]!.image,
        text: text + shortAnswerPrompt,
        answer,
        category,
        type: type.startsWith("yes/no") ? "yes/no" : "short",
      };
}

function groupByPhoto(questions: readonly AskedQuestion[], photos: number): AskedQuestion[][] {
  const groups = Array.from({ length: photos }, (): AskedQuestion[] => []);
  for (const question of questions) groups[question.photo]!.push(question);
  return groups;
}
