import { mulberry32, seedOfText } from "../../random/index.ts";
import {
  type Answerer,
  type AskOptions,
  askPlan,
  type BatchEndpoint,
  enterPlan,
  Ledger,
  type LedgerEntry,
} from "../../runner/index.ts";
import type { Reader } from "../language/english-reader.ts";
import type { ConversationRow } from "../rows.ts";
import type { InstructionKind, Turn } from "./kind.ts";
import { balancingTurns } from "./negatives.ts";
import { instructionRow, type Outcome, outcomes } from "./outcomes.ts";
import { parseStructured } from "./parse-reply.ts";
import { InstructionPlan, type PlanOptions } from "./plan.ts";
import { isRow } from "./reply-class.ts";

/** A teacher, and one that is the same but answers by `turnsSchema`. */
interface Teachers {
  readonly plain: Answerer;
  readonly structured?: Answerer | undefined;
  /** Ways to ask the same by batches of the endpoint's, a form each. */
  readonly batches?: Readonly<Record<"json" | "blocks", BatchEndpoint>> | undefined;
}

export interface InstructOptions extends Omit<PlanOptions, "kinds">, AskOptions {
  readonly ledger: Ledger;
  readonly teachers: Teachers;
  /** The kinds, for replies in each form. */
  readonly kinds: (form: "json" | "blocks") => readonly InstructionKind[];
  /** Whether replies are JSON; where it is "auto", the endpoint is tried once and the ledger keeps what came of it. */
  readonly structured: "auto" | "always" | "never";
  /** Asks some places alone, for a pilot. */
  readonly places?: (plan: InstructionPlan) => readonly number[];
  /** Called once where an endpoint takes no schema. */
  readonly onFallback?: ((why: string) => void) | undefined;
}

/** Whom to ask, and for what. */
export interface Prepared {
  readonly plan: InstructionPlan;
  readonly teacher: Answerer;
  readonly batches: BatchEndpoint | undefined;
}

/** Decides on the form of replies and enters the plan into the ledger; asks at most one request. */
export async function prepareInstruct(options: InstructOptions): Promise<Prepared> {
  const form = await formOf(options);
  const plan = new InstructionPlan({ ...options, kinds: options.kinds(form) });
  const teacher = form === "json" ? options.teachers.structured! : options.teachers.plain;
  await enterPlan(options.ledger, plan, teacher, options.places?.(plan));
  return { plan, teacher, batches: options.teachers.batches?.[form] };
}

/** Asks what the ledger lacks. @throws what `askPlan` throws */
export const askInstruct = ({ plan, teacher, batches }: Prepared, options: InstructOptions): Promise<void> =>
  askPlan({ ...options, plan, answerer: teacher, places: options.places?.(plan), batches });

async function formOf(options: InstructOptions): Promise<"json" | "blocks"> {
  const { ledger, teachers, structured, onFallback } = options;
  const { structured: teacher } = teachers;
  if (structured === "never" || teacher === undefined) return "blocks";
  if (structured === "always") return "json";
  const setting = `form of ${teacher.id}`;
  const known = ledger.setting(setting);
  if (known === "json" || known === "blocks") return known;
  const plan = new InstructionPlan({ ...options, kinds: options.kinds("json") });
  if (plan.count === 0) return "blocks";
  // Beside the run's own plan: a connection has one.
  using probe = new Ledger(ledger.path);
  await enterPlan(probe, plan, teacher, [0]);
  await askPlan({ ...options, onProgress: undefined, ledger: probe, answerer: teacher, plan, places: [0] });
  const [entry] = probe.entries();
  const why = whyNotStructured(entry!);
  if (entry!.state !== "failed" || /answered (400|422)/.test(entry!.error ?? ""))
    ledger.set(setting, why ? "blocks" : "json");
  if (why !== undefined) onFallback?.(why);
  return why === undefined ? "json" : "blocks";
}

function whyNotStructured({ reply, error }: LedgerEntry): string | undefined {
  if (reply === undefined) return error ?? "no reply";
  const isAnswer = reply.reason === "stop" && reply.text.trim() !== "";
  return isAnswer && "problem" in parseStructured(reply.text) ? "the reply was no JSON" : undefined;
}

/** What a run gave so far. */
export interface Instructions {
  readonly found: readonly Outcome[];
  readonly rows: readonly ConversationRow[];
  /** Turns beside the teacher's, by the row's id. */
  readonly added: ReadonlyMap<string, readonly Turn[]>;
}

/** Rows of what the ledger holds, in the plan's order; nothing is asked, so that it can be read anew by another rule. */
export function collectInstructions(
  { plan }: Prepared,
  ledger: Ledger,
  { read, seed, negatives }: { readonly read: Reader; readonly seed: number; readonly negatives: boolean },
): Instructions {
  const found = [...outcomes(plan, ledger, read)];
  const kept = found.filter(({ class: name }) => isRow(name));
  // One answer a row is a description or an argument: a question about presence has no place there.
  const conversations = kept.filter(({ kind }) => kind.name === "conversation");
  const byPlace = negatives ? balancingTurns(conversations, read, seed) : new Map<number, Turn[]>();
  const added = new Map([...byPlace].map(([place, turns]) => [conversations[place]!.id, turns] as const));
  const rows = kept.map(({ id, item, turns }) =>
    instructionRow(
      id,
      item,
      [...turns, ...(added.get(id) ?? [])],
      mulberry32(seedOfText(seed, `image ${id}`)),
    ),
  );
  return { found, rows, added };
}
