import { numberWords } from "./number-words.ts";
import { remember } from "./remember.ts";

const digits = new Map([["none", "0"], ...numberWords]);
const articles = new Set(["a", "an", "the"]);
const punctuation = [...';/[]"{}()=+\\_-><@`,?!'];

/** The table of the VQA evaluation, which lacks some words and has one that is wrong. */
const contracted = `
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've
he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've
o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's
someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've
there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's
what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've
wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've`
  .trim()
  .split(/\s+/);

/** Each of them with one of its apostrophes forgotten: "dont" → "don't", "hed've" → "he'd've". */
const contractions = new Map([
  ...contracted.flatMap((word) =>
    [...word.matchAll(/'/g)].map(
      ({ index }) => [word.slice(0, index) + word.slice(index + 1), word] as const,
    ),
  ),
  ["somebody'd", "somebodyd"] as const,
]);

/** A mark beside a space, or any where digits are split by a comma, is dropped; others become a space. */
function withoutPunctuation(text: string): string {
  let result = text;
  for (const mark of punctuation) {
    if (!text.includes(mark)) continue;
    const drop = text.includes(`${mark} `) || text.includes(` ${mark}`) || /\p{Nd},\p{Nd}/u.test(text);
    result = result.replaceAll(mark, drop ? "" : " ");
  }
  if (!result.includes(".")) return result;
  // The original passes a flag where the count belongs, so that it drops no more than 32 points.
  let dropped = 0;
  return result.replace(/\.(?!\p{Nd})/gu, (point) => (dropped++ < 32 ? "" : point));
}

const withPlainWords = (text: string): string =>
  text
    .toLowerCase()
    .split(/\s+/)
    .map((word) => digits.get(word) ?? word)
    .filter((word) => word !== "" && !articles.has(word))
    .map((word) => contractions.get(word) ?? word)
    .join(" ");

/** Newlines and tabs as spaces, none at the ends. */
export const onOneLine = (text: string): string =>
  (/[\n\t]/.test(text) ? text.replace(/[\n\t]/g, " ") : text).trim();

/** An answer as the VQA v2 evaluation compares it: no punctuation, digits for number words, no articles. */
export const normalizeVqaAnswer = remember((answer) => withPlainWords(withoutPunctuation(onOneLine(answer))));

/** The same as EvalAI's processor does it, which first drops commas and question marks and parts "'s" from its word. */
export const normalizeEvalAiAnswer = remember((answer) =>
  normalizeVqaAnswer(answer.toLowerCase().replace(/[,?]/g, "").replaceAll("'s", " 's")),
);
