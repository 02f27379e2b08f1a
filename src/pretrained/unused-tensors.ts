import { RECOMPUTED_TENSORS } from "../checkpoint/index.ts";
import { BESIDE_TOWERS, type Named } from "../models/index.ts";

/**
 * What files about a model may hold and the model has no place for, by paths in its module: the one list for base weights,
 * low-rank adapters and modules trained as a whole.
 */
export const unusedTensors = ({ unused }: Named): readonly RegExp[] => [
  ...RECOMPUTED_TENSORS,
  ...BESIDE_TOWERS,
  ...unused,
];
