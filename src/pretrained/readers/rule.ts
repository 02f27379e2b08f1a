import { existsSync } from "node:fs";
import { join } from "node:path";
import { openStored } from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { type JsonObject, readJsonObject } from "../../files/index.ts";

/** What another program sees of a checkpoint before it reads weights. */
export interface StoredCheckpoint {
  readonly folder: string;
  readonly config: JsonObject;
  /** Names of tensors as the files have them. */
  readonly tensors: readonly string[];
  /** A file of JSON in the folder; undefined where it is not there. */
  file(name: string): JsonObject | undefined;
  has(name: string): boolean;
}

/** @throws LlavaError "checkpoint" for a folder without config.json or weights */
export function readStored(folder: string): StoredCheckpoint {
  const has = (name: string): boolean => existsSync(join(folder, name));
  const file = (name: string): JsonObject | undefined =>
    has(name) ? readJsonObject(join(folder, name)) : undefined;
  const config = file("config.json");
  if (config === undefined)
    throw new LlavaError("checkpoint", `${folder} has no config.json`, {
      hint: "Give the folder of a whole checkpoint in Hugging Face's or the original layout.",
    });
  using source = openStored(folder);
  return { folder, config, tensors: [...source.names()], file, has };
}

/** Whether the program refuses the checkpoint, or answers with it only if it is told something, or with something lost. */
type Severity = "refused" | "warning";

export interface Finding {
  readonly severity: Severity;
  readonly rule: string;
  readonly message: string;
  readonly hint: string;
}

type Found = Omit<Finding, "rule">;

/** One condition of a program's loader. */
export interface Rule {
  readonly name: string;
  /** Findings; none where the condition holds, or where an earlier rule's refusal leaves it without a meaning. */
  readonly check: (checkpoint: StoredCheckpoint) => readonly Found[];
}

/** Makes rules that hold for some checkpoints alone, such as those of one layout. */
export const rulesFor =
  (applies: (checkpoint: StoredCheckpoint) => boolean) =>
  (name: string, check: Rule["check"]): Rule => ({
    name,
    check: (checkpoint) => (applies(checkpoint) ? check(checkpoint) : []),
  });

export const refused = (message: string, hint: string): Found => ({ severity: "refused", message, hint });
export const warning = (message: string, hint: string): Found => ({ severity: "warning", message, hint });

/** A program that serves checkpoints, and what its loader asks for. */
export interface Reader {
  readonly name: string;
  /** The version whose source the rules are of. */
  readonly version: string;
  readonly rules: readonly Rule[];
}

export const architectureOf = ({ config }: StoredCheckpoint): string | undefined => {
  const [first] = Array.isArray(config["architectures"]) ? config["architectures"] : [];
  return typeof first === "string" ? first : undefined;
};

/** As messages show a field: JSON, or that it is missing. */
export const shown = (value: unknown): string => (value === undefined ? "missing" : JSON.stringify(value));

/** The first few of many names. */
export const few = (names: readonly string[]): string =>
  names.slice(0, 3).join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "");
