import { LlavaError } from "../../errors.ts";

/** "linear" is one layer; "mlp" has `depth` linear layers with `act` between them; "identity" has no parameters. */
export interface ProjectorConfig {
  readonly type: "linear" | "mlp" | "identity";
  /** Number of linear layers: 0 for identity, 1 for linear. */
  readonly depth: number;
  readonly act: "gelu" | "gelu_tanh" | "silu" | "relu";
  readonly bias: boolean;
}

/** What `mm_projector_type` of the original code says. @throws LlavaError "config" */
export function originalProjector(type: string, where: string): ProjectorConfig {
  if (type === "identity") return { type, depth: 0, act: "gelu", bias: true };
  if (type === "linear") return { type, depth: 1, act: "gelu", bias: true };
  const depth = /^mlp(\d+)x_gelu$/.exec(type)?.[1];
  if (depth !== undefined && Number(depth) > 0)
    return { type: "mlp", depth: Number(depth), act: "gelu", bias: true };
  throw new LlavaError(
    "config",
    `${where}: mm_projector_type "${type}"; known are linear, mlpNx_gelu, identity`,
  );
}
