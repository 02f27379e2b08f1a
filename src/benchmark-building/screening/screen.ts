import type { PoolItem } from "../intake/item.ts";
import { type PersonalKind, personalData } from "./personal-data.ts";

/** What was found in a question or an image that speaks against publishing it. */
export interface Flag {
  /** A kind of personal data, "photo-place" where the file tells where it was taken, or what an image screen names. */
  readonly kind: string;
  readonly text?: string;
  /** Whether a question with it is published only if a person has said so; others are shown to reviewers. */
  readonly isGrave: boolean;
}

/** Looks for what should not be published in an image. */
export interface ImageScreen {
  readonly name: string;
  /** @param image its path */
  look(image: string): Promise<readonly Flag[]>;
}

/** Found by words alone, and often wrong. */
const slight: ReadonlySet<PersonalKind> = new Set(["name", "address"]);

/** Flags of each item that has any, by its id. */
export async function screen(
  items: readonly PoolItem[],
  screens: readonly ImageScreen[],
  onItem?: (count: number) => void,
): Promise<ReadonlyMap<string, readonly Flag[]>> {
  const flagged = new Map<string, readonly Flag[]>();
  for (const [place, item] of items.entries()) {
    const words = `${item.question}\n${item.reference ?? ""}`;
    const flags: Flag[] = personalData(words).map((found) => ({
      ...found,
      isGrave: !slight.has(found.kind),
    }));
    // It goes with the rest of what the file tells.
    if (item.tellsPlace) flags.push({ kind: "photo-place", isGrave: false });
    for (const one of screens) flags.push(...(await one.look(item.image)));
    if (flags.length > 0) flagged.set(item.id, flags);
    onItem?.(place + 1);
  }
  return flagged;
}
