/** Patterns of names, each from its beginning, for names with a module's path before them. */
export const under = (path: string, patterns: readonly RegExp[]): RegExp[] =>
  patterns.map(({ source }) => new RegExp(`^${path}\\.${source.replace(/^\^/, "")}`));
