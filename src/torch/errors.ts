import { LlavaError } from "../errors.ts";
import { Tensor } from "./tensor.ts";

/** libtorch refused an operation. The message ends with the operator's arguments as dtypes and shapes. */
export class TorchError extends LlavaError {
  readonly operator: string;

  constructor(operator: string, reason: string, args: readonly unknown[]) {
    super("torch", `${operator}: ${reason.trim()} (${args.map(describe).join(", ")})`);
    this.name = "TorchError";
    this.operator = operator;
  }
}

function describe(value: unknown): string {
  if (value instanceof Tensor) return value.describe();
  if (Array.isArray(value))
    return `[${value.slice(0, 4).map(describe).join(", ")}${value.length > 4 ? ", …" : ""}]`;
  return String(value);
}

export function explain(error: unknown, operator: string, args: readonly unknown[]): unknown {
  if (error instanceof LlavaError) return error;
  return new TorchError(operator, error instanceof Error ? error.message : String(error), args);
}
