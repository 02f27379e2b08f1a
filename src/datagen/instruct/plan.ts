import type { GenerationRequest, Message } from "../../protocol/index.ts";
import { seedOfText } from "../../random/index.ts";
import type { RequestPlan } from "../../runner/index.ts";
import type { SceneItem } from "./item.ts";
import type { InstructionKind } from "./kind.ts";

export interface PlanOptions {
  readonly items: readonly SceneItem[];
  readonly kinds: readonly InstructionKind[];
  readonly seed: number;
  /** 0.7 if left out. */
  readonly temperature?: number | undefined;
}

/** Every item with every kind, in the order of items: what is asked, and the order of rows. */
export class InstructionPlan implements RequestPlan {
  readonly items: readonly SceneItem[];
  readonly kinds: readonly InstructionKind[];
  readonly #seed: number;
  readonly #temperature: number;
  /** All that requests of a kind have in common comes first and is the same, so that endpoints find it in their caches. */
  readonly #heads: readonly (readonly Message[])[];

  constructor({ items, kinds, seed, temperature = 0.7 }: PlanOptions) {
    this.items = items;
    this.kinds = kinds;
    this.#seed = seed;
    this.#temperature = temperature;
    this.#heads = kinds.map(({ system, fewShots }) => [
      { role: "system", content: system },
      ...fewShots.flatMap(({ query, reply }): Message[] => [
        { role: "user", content: query },
        { role: "assistant", content: reply },
      ]),
    ]);
  }

  get count(): number {
    return this.items.length * this.kinds.length;
  }

  at(sequence: number): { readonly item: SceneItem; readonly kind: InstructionKind; readonly id: string } {
    const item = this.items[Math.floor(sequence / this.kinds.length)]!;
    const kind = this.kinds[sequence % this.kinds.length]!;
    return { item, kind, id: `${item.id}-${kind.name}` };
  }

  idAt(sequence: number): string {
    return this.at(sequence).id;
  }

  /** A seed of the place's own. */
  seedOf(sequence: number): number {
    return seedOfText(this.#seed, this.idAt(sequence));
  }

  requestAt(sequence: number): GenerationRequest {
    const { item, kind } = this.at(sequence);
    return {
      messages: [...this.#heads[sequence % this.kinds.length]!, { role: "user", content: kind.query(item) }],
      sampling: {
        maxTokens: kind.maxTokens,
        temperature: this.#temperature,
        topP: 1,
        seed: this.seedOf(sequence),
      },
    };
  }
}
