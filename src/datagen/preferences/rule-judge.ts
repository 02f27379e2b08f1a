import { conceptNamed, isKindOf } from "../language/concepts.ts";
import type { Reader } from "../language/english-reader.ts";
import { nounPhrases } from "../language/noun-phrases.ts";
import type { AskedQuestion } from "./asked.ts";
import type { Judgement } from "./judge-prompts.ts";

/** Scores an answer without asking anyone; undefined where the evidence does not suffice. */
export type Rule = (asked: AskedQuestion, answer: string) => Judgement | undefined;

/**
 * Scores answers by what they name, from 1 to 5: 1, and 4 times the share named of what at least two captions name (boxes
 * count as captions), less 2 for each thing named that no caption does. The kind of a thing stands for it: "animal" of a dog.
 * What captions leave out counts as invented, so that it is an upper bound of what is.
 */
export function namingRule(read: Reader): Rule {
  let last: { readonly asked: AskedQuestion; readonly evidence: Evidence } | undefined;
  return (asked, answer) => {
    if (last?.asked !== asked) last = { asked, evidence: evidenceOf(asked, read) };
    const { named, agreed } = last.evidence;
    if (agreed.length === 0) return undefined;
    const said = conceptsOf(answer, read);
    const covered = agreed.filter((concept) =>
      [...said.keys()].some((one) => isKindOf(one, concept) || isKindOf(concept, one)),
    );
    const invented = [...said].filter(
      ([concept]) => ![...named].some((one) => isKindOf(one, concept) || isKindOf(concept, one)),
    );
    const score = 1 + (4 * covered.length) / agreed.length - 2 * invented.length;
    return {
      score: Math.min(5, Math.max(1, score)),
      unsupported: invented.map(([, words]) => words),
      reason: `names ${covered.length} of ${agreed.length} things that captions agree on, and ${invented.length} that none has`,
    };
  };
}

interface Evidence {
  /** Of any caption or box. */
  readonly named: ReadonlySet<string>;
  /** Of two at least, or of the only caption. */
  readonly agreed: readonly string[];
}

function evidenceOf({ item: { captions, boxes } }: AskedQuestion, read: Reader): Evidence {
  const sources = captions.map((caption) => [...conceptsOf(caption, read).keys()]);
  const boxed = [...new Set(boxes.map(({ category }) => category))].flatMap(
    (category) => conceptNamed(category) ?? [],
  );
  if (boxed.length > 0) sources.push(boxed);
  const times = new Map<string, number>();
  for (const concept of sources.flatMap((concepts) => [...new Set(concepts)]))
    times.set(concept, (times.get(concept) ?? 0) + 1);
  const least = Math.min(2, sources.length);
  return {
    named: new Set(times.keys()),
    agreed: [...times].filter(([, count]) => count >= least).map(([concept]) => concept),
  };
}

/** Things that a text names, with its words for them. */
function conceptsOf(text: string, read: Reader): Map<string, string> {
  const words = read(text);
  const found = new Map<string, string>();
  for (const { concept, start, end } of nounPhrases(words))
    if (concept !== undefined && !found.has(concept))
      found.set(
        concept,
        words
          .slice(start, end)
          .map((word) => word.text)
          .join(" "),
      );
  return found;
}
