import type { BuildOptions, Standing } from "./build-options.ts";
import { usualDuplicates } from "./choosing/near-duplicates.ts";
import { type Contamination, type Rate, rateOf } from "./contamination/decontaminate.ts";
import type { Goodness, Selection } from "./editions.ts";
import { usualLimits } from "./likeness/index.ts";
import type { Reference } from "./references.ts";
import type { Survey } from "./survey.ts";

type Counts = Readonly<Record<string, number>>;

interface SetReport extends Pick<Contamination, "rows" | "badRows" | "images" | "unreadable"> {
  readonly set: string;
  /** Of all that were taken in, and of the first choice before what overlaps made room for others. */
  readonly imageRate: Rate;
  readonly textRate: Rate;
}

interface EditionReport {
  readonly questions: number;
  readonly categories: Counts;
  readonly images: number;
  /** With any training set: what `eval build` was told of. */
  readonly overlap: Rate;
}

/** What a build did and decided; the same for the same pool, options and seed. */
export interface BuildReport {
  readonly choices: {
    readonly seed: number;
    readonly imageShare: number;
    readonly embedder: string;
    readonly likeness: typeof usualLimits;
    readonly duplicates: typeof usualDuplicates;
    readonly flagged: "left out" | "reviewed";
    readonly reviewers: number;
  };
  readonly offered: number;
  readonly taken: number;
  /** By why they were refused. */
  readonly refused: Counts;
  /** Items by kind of flag. */
  readonly flags: Counts;
  readonly duplicates: { readonly pairsOfImages: number; readonly groups: number; readonly dropped: number };
  readonly candidates: number;
  readonly contamination: readonly SetReport[];
  readonly contaminated: number;
  readonly clusters: Selection["clusters"];
  readonly goodness: Goodness;
  readonly references: Counts;
  readonly review: Counts;
  readonly editions: Readonly<Record<"small" | "medium", EditionReport>> | { readonly medium: EditionReport };
}

export function reportOf({
  options,
  survey,
  selection,
  references,
  standing,
  goodness,
}: {
  readonly options: BuildOptions;
  readonly survey: Survey;
  readonly selection: Selection;
  readonly references: ReadonlyMap<string, Reference>;
  readonly standing: readonly Standing[];
  readonly goodness: Goodness;
}): BuildReport {
  const ids = survey.taken.map(({ id }) => id);
  const edition = (isIn: (one: Selection["chosen"][number]) => boolean): EditionReport => {
    const chosen = selection.chosen.filter(isIn).map(({ item }) => item);
    return {
      questions: chosen.length,
      categories: counted(chosen.map(({ category = "none" }) => category)),
      images: new Set(chosen.map(({ pixels }) => pixels)).size,
      overlap: rateOf(
        chosen.map(({ id }) => id),
        survey.contaminated,
      ),
    };
  };
  const medium = edition(() => true);
  return {
    choices: {
      seed: options.seed,
      imageShare: options.imageShare,
      embedder: options.embedder.id,
      likeness: usualLimits,
      duplicates: usualDuplicates,
      flagged: options.reviewsFlagged ? "reviewed" : "left out",
      reviewers: options.reviewers,
    },
    offered: survey.offered,
    taken: survey.taken.length,
    refused: counted(survey.refused.map(({ refusal }) => refusal)),
    flags: counted(
      [...survey.flags.values()].flatMap((flags) => [...new Set(flags.map(({ kind }) => kind))]),
    ),
    duplicates: {
      pairsOfImages: survey.alike.length,
      groups: survey.duplicates.length,
      dropped: survey.duplicates.reduce((sum, { dropped }) => sum + dropped.length, 0),
    },
    candidates: survey.candidates.length,
    contamination: survey.contamination.map(
      ({ set, rows, badRows, images, unreadable, imageOverlaps, textOverlaps }) => ({
        set: set.rows,
        rows,
        badRows,
        images,
        unreadable,
        imageRate: rateOf(ids, new Set(imageOverlaps.map(({ item }) => item))),
        textRate: rateOf(ids, new Set(textOverlaps.map(({ item }) => item))),
      }),
    ),
    contaminated: survey.contaminated.size,
    clusters: { objective: selection.clusters.objective, rounds: selection.clusters.rounds },
    goodness,
    references: counted([...references.values()].map(({ class: name }) => name)),
    review: counted(standing.map(({ state }) => state)),
    editions:
      options.sizes.small === undefined ? { medium } : { small: edition(({ isSmall }) => isSmall), medium },
  };
}

/** How often each comes, the most frequent first. */
function counted(names: readonly string[]): Counts {
  const groups = [...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length] as const);
  return Object.fromEntries(groups.sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}
