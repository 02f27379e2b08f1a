export { mulberry32 } from "./mulberry32.ts";
export { mixSeed, seedOfText } from "./seeds.ts";
export { permutation, pick, shuffled } from "./shuffled.ts";
export { RandomSource, type RandomState } from "./xoshiro.ts";
