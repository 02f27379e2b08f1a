import { LlavaError } from "../errors.ts";

/** libtorch refused an operation. The message ends with the operator's arguments as dtypes and shapes. */
export class TorchError extends LlavaError {
  readonly operator: string;

  constructor(operator: string, reason: string, args: readonly unknown[]) {
    const given = args.slice(0, args.findLastIndex((value) => value !== undefined) + 1);
    super("torch", `${operator}: ${reason.trim()} (${given.map(describe).join(", ")})`);
    this.name = "TorchError";
    this.operator = operator;
  }
}

function describe(value: unknown): string {
  if (Array.isArray(value))
    return `[${value.slice(0, 4).map(describe).join(", ")}${value.length > 4 ? ", …" : ""}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if ("describe" in value && typeof value.describe === "function") return value.describe();
  return value.constructor?.name || "object";
}

export function explain(error: unknown, operator: string, args: readonly unknown[]): unknown {
  if (error instanceof LlavaError) return error;
  // The fast paths read `.slot` of whatever they were given.
  if (error instanceof TypeError && error.message.includes("'slot'"))
    return new TorchError(operator, "expected a tensor", args);
  return new TorchError(operator, error instanceof Error ? error.message : String(error), args);
}
