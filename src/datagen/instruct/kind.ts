import type { SceneItem } from "./item.ts";
import type { ReplyClass } from "./reply-class.ts";

export interface Turn {
  readonly question: string;
  readonly answer: string;
}

/** An example of what a teacher is told and what it should say. */
export interface FewShot {
  readonly query: string;
  readonly reply: string;
}

/** What a reply holds, or the class of those that cannot be read. */
export type Parsed =
  | {
      readonly turns: readonly Turn[] /** Whether the last turn is known to be whole. */;
      readonly isClosed: boolean;
    }
  | { readonly problem: ReplyClass };

/** A kind of training rows: how a teacher is asked for them and how its replies are read. */
export interface InstructionKind {
  /** Ends the ids of its rows. */
  readonly name: string;
  readonly system: string;
  readonly fewShots: readonly FewShot[];
  query(item: SceneItem): string;
  /** @param random draws what is not the teacher's to choose, the same for the same item */
  parse(reply: string, item: SceneItem, random: () => number): Parsed;
  /** A class for turns that must not become a row, besides what every kind is checked for. */
  check?(turns: readonly Turn[], item: SceneItem): ReplyClass | undefined;
  /** Tokens of the longest reply. */
  readonly maxTokens: number;
  /** Words of an answer, at least and at most. */
  readonly answerWords: readonly [number, number];
  /** What becomes of a reply that names things which neither captions nor boxes do: with boxes alone it can be told. */
  readonly ungrounded: "drop" | "flag" | "ignore";
}
