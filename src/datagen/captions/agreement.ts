/**
 * Captions of one photo, those first that say most of what the others say and least besides: a caption that only one
 * person would write teaches a model to guess (after the consensus captions of Devlin et al. 2015, arXiv 1505.04467).
 */
export function byAgreement(captions: readonly string[]): string[] {
  const parts = captions.map(partsOf);
  const scored = captions.map((caption, i) => {
    const others = parts.filter((_, j) => j !== i);
    const score = others.reduce((sum, other) => sum + overlap(parts[i]!, other), 0);
    return { caption, score };
  });
  return scored.sort((a, b) => b.score - a.score).map(({ caption }) => caption);
}

const unspecific = new Set("a an the of in on and with is are at to his her its their by while".split(" "));

/** Words that mean something, and pairs of neighbours. */
function partsOf(caption: string): ReadonlySet<string> {
  const words = caption.toLowerCase().match(/[a-z]+/g) ?? [];
  const pairs = words.slice(1).map((word, i) => `${words[i]} ${word}`);
  return new Set([...words.filter((word) => !unspecific.has(word)), ...pairs]);
}

/** Dice's coefficient: 1 for equal sets, 0 for sets without a common element. */
function overlap(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  const common = [...one].filter((part) => other.has(part)).length;
  return one.size + other.size === 0 ? 0 : (2 * common) / (one.size + other.size);
}
