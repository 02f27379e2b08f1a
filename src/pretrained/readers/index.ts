import { type Finding, type Reader, readStored } from "./rule.ts";
import { sglang } from "./sglang.ts";
import { vllm } from "./vllm.ts";

const READERS = { vllm, sglang } satisfies Readonly<Record<string, Reader>>;

/** Programs whose rules are known. */
export type ReaderName = keyof typeof READERS;
export const readerNames = Object.keys(READERS) as ReaderName[];

export interface Verdict {
  readonly reader: string;
  readonly version: string;
  /** False where a finding refuses. */
  readonly isServed: boolean;
  readonly findings: readonly Finding[];
}

/**
 * Whether other programs load a checkpoint, by the rules of their loaders; reads configuration and names of tensors.
 * @throws LlavaError "checkpoint" for a folder without config.json or weights
 */
export function checkReaders(folder: string, names: readonly ReaderName[] = readerNames): Verdict[] {
  const stored = readStored(folder);
  return names.map((name) => {
    const { name: reader, version, rules } = READERS[name];
    const findings = rules.flatMap((rule) =>
      rule.check(stored).map((found) => ({ ...found, rule: rule.name })),
    );
    return { reader, version, isServed: findings.every(({ severity }) => severity !== "refused"), findings };
  });
}
