/**
 * Pairs of optional properties of the same object, summed over all objects of a JSON schema: each may be left out before each
 * other, and a compiler that keeps them in order goes through them all.
 */
export function optionalPairsOf(schema: unknown): number {
  if (typeof schema !== "object" || schema === null) return 0;
  const inner = Object.values(schema).reduce((sum: number, value) => sum + optionalPairsOf(value), 0);
  const { properties, required } = schema as { readonly properties?: unknown; readonly required?: unknown };
  if (typeof properties !== "object" || properties === null) return inner;
  const asked = new Set(Array.isArray(required) ? required : []);
  const optional = Object.keys(properties).filter((name) => !asked.has(name)).length;
  return inner + optional ** 2;
}
