const literal = /\s*(?:'((?:[^'\\]|\\[\s\S])*)'|"((?:[^"\\]|\\[\s\S])*)")\s*(,|$)/y;

/** The strings of a Python list as Python prints it: `['6', "it's"]`; undefined for anything else. */
export function pythonStrings(text: string): string[] | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith("[") || !trimmed.endsWith("]")) return undefined;
  const inner = trimmed.slice(1, -1).trim();
  const strings: string[] = [];
  literal.lastIndex = 0;
  while (literal.lastIndex < inner.length) {
    const match = literal.exec(inner);
    if (match === null) return undefined;
    strings.push(unescapePython(match[1] ?? match[2]!));
  }
  return strings;
}

const named: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\n": "" };

const unescapePython = (text: string): string =>
  text.replace(
    /\\(?:x([\da-f]{2})|u([\da-f]{4})|(.))/gis,
    (whole, byte?: string, unit?: string, other?: string) => {
      const code = byte ?? unit;
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
      return named[other!] ?? ("'\"\\".includes(other!) ? other! : whole);
    },
  );
