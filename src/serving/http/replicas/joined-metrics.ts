/** Metrics of several processes as those of one: each sample has its process for a label. */
export function joinedMetrics(texts: readonly { readonly replica: string; readonly text: string }[]): string {
  const families = new Map<string, { readonly head: string; readonly samples: string[] }>();
  for (const { replica, text } of texts)
    for (const [, head = "", name = "", samples = ""] of text.matchAll(
      /^(# HELP (\S+) .*\n# TYPE .*\n)((?:[^#\n].*\n)*)/gm,
    )) {
      const family = families.get(name) ?? { head, samples: [] };
      families.set(name, family);
      family.samples.push(
        samples.replace(
          /^([^\s{]+)(?:\{(.*)\})? (\S+)$/gm,
          (_, of, labels, value) => `${of}{${labels ? `${labels},` : ""}replica="${replica}"} ${value}`,
        ),
      );
    }
  return [...families.values()].map(({ head, samples }) => head + samples.join("")).join("");
}
