import { meet, type RankGroups } from "../../distributed/index.ts";
import type { Llava } from "../../models/index.ts";
import type { Module, ParameterPlace, SegmentWeights } from "../../nn/index.ts";
import type { ParameterGroup } from "../../optim/index.ts";
import { type DType, isRecording, scope, type Tensor } from "../../torch/index.ts";
import { Buffers } from "./buffers.ts";
import { type Piece, Unit } from "./unit.ts";

export interface ShardingOptions {
  /** Those of a group have the weights between them; each group has all. */
  readonly ranks: RankGroups;
  /** Weights that learn, by their names, with their rates. */
  readonly groups: readonly ParameterGroup[];
  /** "states": gathered weights stay to the end of a step, and frozen ones are whole; "weights": neither. */
  readonly sharding: "states" | "weights";
  /** Element type that matrices of layers are gathered in. */
  readonly gathered: DType;
  /** Element type that frozen weights are kept in, where they are floating-point; as they are without it. */
  readonly frozen: DType | undefined;
  readonly device: string;
}

/** A piece, with the unit that it lies in. */
interface OwnPiece extends Piece {
  readonly unit: Unit;
}

/**
 * The weights of a model of which each rank has a part (ZeRO, arXiv 1910.02054). The layers of the language model, and of a tower
 * that learns, are gathered one by one as they are computed, the next one while its predecessor is; what else learns, and the
 * vocabulary, before the first of them.
 */
export class ShardedWeights implements SegmentWeights, Disposable {
  readonly device: string;
  readonly ranks: RankGroups;
  readonly #buffers = new Buffers();
  readonly #isGivenUp: boolean;
  /** Modules in the order of the forward pass. */
  readonly #order: readonly Module[];
  readonly #units: ReadonlyMap<Module, readonly Unit[]>;
  readonly #roots: readonly Unit[];
  readonly #groups: readonly (ParameterGroup & { readonly names: readonly string[] })[];
  readonly #pieces: readonly OwnPiece[];
  /** Units whose gradients are under way. */
  #reducing: readonly Unit[] = [];

  /** Takes the weights out of the model, whose places hold shapes alone from now on. */
  constructor(model: Llava, { ranks, groups, sharding, gathered, frozen, device }: ShardingOptions) {
    this.device = device;
    this.ranks = ranks;
    this.#isGivenUp = sharding === "weights";
    const names = new Map(
      groups.flatMap(({ parameters }) => [...parameters].map(([name, tensor]) => [tensor, name] as const)),
    );
    const learning = (place: ParameterPlace): boolean => names.has(place.tensor);
    const { languageModel, projector, visionTower } = model;
    const layersOf = (part: { readonly layers?: readonly Module[] }) =>
      (part.layers ?? []).map((layer) => ({ layer, places: layer.parameterPlaces() }));
    // A frozen tower is whole on each rank.
    const ofTower = layersOf(visionTower).filter(({ places }) => places.some(learning));
    const ofText = layersOf(languageModel);
    this.#order = [...ofTower, ...ofText].map(({ layer }) => layer);
    const inLayers = new Set(
      [...ofTower, ...ofText].flatMap(({ places }) => places.map(({ tensor }) => tensor)),
    );
    const outside = ({ tensor }: ParameterPlace): boolean => !inLayers.has(tensor);
    const ofParts = [
      languageModel.parameterPlaces().filter(outside),
      ...[projector, visionTower].map((part) =>
        part.parameterPlaces().filter((place) => learning(place) && outside(place)),
      ),
      model.parameterPlaces().filter(({ tensor }) => tensor === model.imageNewline && names.has(tensor)),
    ];
    const unitsOf = (places: readonly ParameterPlace[], gathered: DType): Unit[] => {
      const learns = places.filter(learning).map((place) => ({ ...place, name: names.get(place.tensor)! }));
      const isGathered = ({ tensor }: ParameterPlace): boolean =>
        gathered === "float32" || tensor.shape.length > 1;
      const kinds = [
        { of: learns.filter(isGathered), learns: true, dtype: gathered },
        // Vectors are few, and some of them are computed with in float32.
        { of: learns.filter((place) => !isGathered(place)), learns: true, dtype: "float32" as const },
        {
          of: this.#isGivenUp ? places.filter((place) => !learning(place)) : [],
          learns: false,
          dtype: frozen,
        },
      ];
      return kinds
        .filter(({ of }) => of.length > 0)
        .map(
          ({ of, ...kind }) =>
            new Unit(of, { communicator: ranks.within, device, buffers: this.#buffers, ...kind }),
        );
    };
    // What adds up in float32: a word's gradients, and a tower's of several tiles.
    this.#units = new Map([
      ...ofTower.map(({ layer, places }) => [layer, unitsOf(places, "float32")] as const),
      ...ofText.map(({ layer, places }) => [layer, unitsOf(places, gathered)] as const),
    ]);
    this.#roots = ofParts.flatMap((places) => unitsOf(places, "float32"));
    const pieces = this.#all.flatMap((unit) =>
      (unit.learns ? unit.pieces() : []).map((piece) => ({ unit, ...piece })),
    );
    // In the order of whole parameters: the norm of all gradients is a sum, whose last bit depends on the order.
    const place = new Map([...names.values()].map((name, i) => [name, i]));
    this.#pieces = pieces.toSorted((a, b) => place.get(a.name)! - place.get(b.name)! || a.from - b.from);
    const named = Map.groupBy(this.#pieces, ({ name }) => name);
    this.#groups = groups.map((group) => ({
      ...group,
      names: [...group.parameters.keys()],
      parameters: new Map(
        [...group.parameters.keys()].flatMap((name) =>
          (named.get(name) ?? []).map((piece) => [pieceName(piece), piece.weight] as const),
        ),
      ),
    }));
  }

  get #all(): Unit[] {
    return [...this.#roots, ...[...this.#units.values()].flat()];
  }

  /** What this rank updates, in the groups of the parameters that it is a part of. */
  get groups(): readonly ParameterGroup[] {
    return this.#groups;
  }

  begin(): void {
    for (const unit of this.#roots) unit.begin();
    for (const unit of this.#unitsAt(0)) unit.begin();
    for (const unit of this.#roots) unit.open();
  }

  #unitsAt(place: number): readonly Unit[] {
    const module = this.#order[place];
    return (module && this.#units.get(module)) ?? [];
  }

  open(module: Module, direction: "forward" | "backward"): void {
    const units = this.#units.get(module);
    if (units === undefined) return;
    for (const unit of units) unit.open();
    const next = this.#order.indexOf(module) + (direction === "forward" ? 1 : -1);
    for (const unit of this.#unitsAt(next)) unit.begin();
  }

  close(module: Module): void {
    // The backward pass begins with the last.
    const isNeeded = isRecording() && module === this.#order.at(-1);
    if (!this.#isGivenUp || isNeeded) return;
    for (const unit of this.#units.get(module) ?? []) unit.close();
  }

  reduce(module: Module): void {
    const units = this.#units.get(module);
    if (units === undefined) return;
    for (const unit of units) {
      unit.reduce();
      if (this.#isGivenUp) unit.close();
    }
    this.#settle(units);
  }

  /** Waits for what was under way before. */
  #settle(next: readonly Unit[]): void {
    for (const unit of this.#reducing) unit.settle();
    this.#reducing = next;
  }

  end(): void {
    for (const unit of this.#roots) unit.reduce();
    this.#settle([]);
    for (const unit of this.#roots) unit.settle();
  }

  /** Names of weights that a gradient came to on this rank since they were cleared. */
  reached(): string[] {
    return this.#all.flatMap(({ reached }) => [...reached]);
  }

  /** Gives whole weights up, before this rank's parts change. */
  closeAll(): void {
    for (const unit of this.#all) unit.close();
  }

  /** Gives the gradients to the pieces of the weights that have one on any rank, summed over the groups. */
  giveGradients(reached: ReadonlySet<string>): void {
    this.ranks.across.sum(this.#all.flatMap(({ gradient }) => gradient ?? []));
    scope(() => {
      for (const piece of this.#pieces)
        if (reached.has(piece.name)) piece.weight.grad = piece.unit.gradientOf(piece);
    });
  }

  clearGradients(): void {
    for (const unit of this.#all) unit.clearGradients();
  }

  /** A copy of what learns as it is now, which `run` computes with in its place. */
  frozenCopy(): Disposable & { run<T>(body: () => T): T } {
    const copies = this.#all.flatMap((unit) => (unit.learns ? [{ unit, part: unit.copy() }] : []));
    const exchange = (): void => {
      for (const copy of copies) copy.part = copy.unit.exchange(copy.part);
    };
    return {
      run(body) {
        exchange();
        try {
          return body();
        } finally {
          exchange();
        }
      },
      [Symbol.dispose]() {
        for (const { part } of copies) part.dispose();
      },
    };
  }

  /**
   * On the first rank runs `body`, which is given the whole values of what stands in the model's places, each until it asks for
   * the next; all others send what it asks for.
   */
  collect<R>(body: (valuesOf: (stand: Tensor) => Tensor) => R): R | undefined {
    const units = this.#all;
    let opened: Unit | undefined;
    const give = (wanted: number): void => {
      if (units[wanted] !== opened) opened?.close();
      opened = units[wanted];
      opened?.open();
    };
    const { all } = this.ranks;
    try {
      if (all.rank > 0) {
        for (;;) {
          const wanted = meet<number | undefined>(all, undefined)[0]!;
          if (wanted < 0) return undefined;
          give(wanted);
        }
      }
      const unitOf = new Map(
        units.flatMap((unit, i) => unit.stands.map((stand, at) => [stand, { i, at }] as const)),
      );
      const result = body((stand) => {
        const found = unitOf.get(stand);
        if (found === undefined) return stand;
        meet<number | undefined>(all, found.i);
        give(found.i);
        return units[found.i]!.valueAt(found.at);
      });
      meet<number | undefined>(all, -1);
      return result;
    } finally {
      opened?.close();
    }
  }

  /** What stands in the model for what learns, by its names. */
  get learning(): [name: string, stand: Tensor][] {
    const learns = this.#all.filter((unit) => unit.learns);
    const stands = new Map(learns.flatMap(({ names, stands }) => names.map((name, i) => [name, stands[i]!])));
    return this.#groups.flatMap(({ names }) =>
      names.map((name): [string, Tensor] => [name, stands.get(name)!]),
    );
  }

  [Symbol.dispose](): void {
    for (const { weight } of this.#pieces) weight.dispose();
    for (const unit of this.#all) unit[Symbol.dispose]();
    this.#buffers[Symbol.dispose]();
  }
}

/** "weight[from:to]" */
const pieceName = ({ name, from, to }: Pick<Piece, "name" | "from" | "to">): string =>
  `${name}[${from}:${to}]`;
