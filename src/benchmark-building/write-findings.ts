import { join } from "node:path";
import { writeAtomically, writeRows } from "../files/index.ts";
import type { Selection } from "./editions.ts";
import type { BuildReport } from "./report.ts";
import type { Survey } from "./survey.ts";

/** Writes the report, and item by item what is behind its numbers. */
export async function writeFindings(
  folder: string,
  { refused, flags, taken, alike, duplicates, contamination }: Survey,
  { chosen }: Selection,
  report: BuildReport,
): Promise<void> {
  const at = (name: string): string => join(folder, name);
  await writeRows(at("refused.jsonl"), refused);
  await writeRows(
    at("flagged.jsonl"),
    taken.flatMap(({ id, origin, image }) =>
      flags.has(id) ? [{ id, origin, image, flags: flags.get(id) }] : [],
    ),
  );
  const named = alike.map(({ of, with: other, ...rest }) => ({
    items: [taken[of]!.id, taken[other]!.id],
    images: [taken[of]!.image, taken[other]!.image],
    ...rest,
  }));
  await writeRows(at("alike.jsonl"), named);
  await writeRows(at("duplicates.jsonl"), duplicates);
  await writeRows(
    at("contamination.jsonl"),
    contamination.flatMap(({ set, imageOverlaps, textOverlaps }) => [
      ...imageOverlaps.map((pair) => ({ set: set.rows, ...pair })),
      ...textOverlaps.map((pair) => ({ set: set.rows, ...pair })),
    ]),
  );
  await writeRows(
    at("chosen.jsonl"),
    chosen.map(({ item: { id, origin, width, height }, cluster, distance, isSmall }) => ({
      id,
      origin,
      width,
      height,
      cluster: cluster ?? null,
      distance,
      isSmall,
    })),
  );
  writeAtomically(at("build.json"), [`${JSON.stringify(report, null, 2)}\n`], { code: "data" });
}
