import type { ServedPrompt, ServedRequest } from "../../protocol/index.ts";

/** What is asked of the thread that computes: a model by its name once, then by the number under which it was opened. */
export type Asked =
  | { readonly open: string }
  | { readonly model: number; readonly answer: Omit<ServedRequest, "signal"> }
  | { readonly model: number; readonly tokens: ServedPrompt }
  | { readonly model: number; readonly detokenize: readonly number[] }
  | { readonly model: number; readonly pieces: readonly number[] };

/** What the thread is told. */
export type Order =
  | ({ readonly id: number } & Asked)
  | { readonly id: number; readonly isGivenUp: true }
  | { readonly isOver: true };

/** What the thread tells: parts of what was asked for, then its end, once for each order; or a line for people. */
export type Told =
  | { readonly id: number; readonly part: unknown }
  | { readonly id: number; readonly isEnded: true }
  | { readonly id: number; readonly failed: ToldError }
  | { readonly report: string }
  | { readonly warn: string };

/** What was told since the last message, in order: a step says something to each answer, and a message wakes whoever reads it. */
export type ToldTogether = readonly Told[];

/** The answer to `open`. */
export interface Opened {
  readonly model: number;
  readonly id: string;
  readonly contextLength: number;
  readonly modalities: readonly ("text" | "image" | "video")[];
  readonly vocabularySize: number;
  readonly queueLimit: number;
  readonly maxRunning: number;
  /** Of `SharedState`. */
  readonly state: SharedArrayBuffer;
}

/** An error on its way between threads, where it would lose its class. */
export interface ToldError {
  readonly kind: "context-full" | "overloaded" | "part" | "llava" | "other";
  readonly message: string;
  readonly code?: string;
  readonly hint?: string | undefined;
  /** What the constructor of its class takes besides. */
  readonly numbers?: readonly number[];
}
