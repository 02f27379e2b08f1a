const golden = 0x9e3779b9;

/** Mixes integers into one 32-bit seed (the finaliser of MurmurHash3 after each). */
export function mixSeed(...values: readonly number[]): number {
  let hash = golden;
  for (const value of values) {
    hash = Math.imul(hash ^ value, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

/** A 32-bit seed of a seed and a text, so that each photo has its own. */
export function seedOfText(seed: number, text: string): number {
  let hash = seed ^ golden;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  return hash >>> 0;
}
