import { type Markup, markup } from "../../charts/index.ts";
import type { OutcomeRow } from "../results/result.ts";
import type { Flip } from "./flips.ts";
import type { Pictures } from "./pictures.ts";

/** A question with its images and what a model made of it. */
export async function exampleCard(row: OutcomeRow, pictures: Pictures): Promise<Markup> {
  return card(row, pictures, [...answerFacts("answer", row), fact("credit", written(row.credit))]);
}

/** The same with the answers of two models. */
export async function flipCard(
  { before, after }: Flip,
  names: readonly [string, string],
  pictures: Pictures,
): Promise<Markup> {
  return card(after, pictures, [
    ...answerFacts(names[0], before),
    ...answerFacts(names[1], after),
    fact("credit", `${written(before.credit)} → ${written(after.credit)}`),
  ]);
}

async function card(row: OutcomeRow, pictures: Pictures, facts: readonly Markup[]): Promise<Markup> {
  const labels = Object.values(row.labels ?? {}).join(", ");
  return markup`<article class="card">${await pictures.embed(row.images)}
<p class="question"><bdi>${shortened(row.prompt.replace(/^<image>\n?/, ""))}</bdi></p>
<dl>${facts}${row.truth !== undefined && fact("truth", row.truth)}${labels !== "" && fact("labels", labels)}${fact("id", row.id)}</dl></article>
`;
}

const answerFacts = (name: string, { answer, parsed, credit }: Flip["before"]): Markup[] => [
  fact(name, answer === "" ? "(empty)" : shortened(answer), credit >= 0.5 ? "good" : "bad"),
  ...(parsed === answer
    ? []
    : [fact("parsed", parsed === undefined ? "(could not be read)" : shortened(parsed))]),
];

const fact = (name: string, value: string, kind = ""): Markup =>
  markup`<dt><bdi>${name}</bdi></dt><dd class="${kind}"><bdi>${value}</bdi></dd>`;

const written = (credit: number): string => String(Math.round(credit * 1000) / 1000);

const longest = 1500;

function shortened(text: string): string {
  return text.length <= longest
    ? text
    : `${text.slice(0, longest)}… (${text.length.toLocaleString("en")} characters)`;
}
