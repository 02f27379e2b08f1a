/** The names in one of Slurm's lists of machines, such as "gpu[01-03,7],login". */
export function expandHosts(list: string): string[] {
  return [...list.matchAll(/(?:[^,[]|\[[^\]]*\])+/g)].flatMap(([host]) => expandHost(host));
}

function expandHost(host: string): string[] {
  const match = /^([^[]*)\[([^\]]*)\](.*)$/.exec(host);
  if (match === null) return [host];
  const [, before = "", ranges = "", after = ""] = match;
  return ranges.split(",").flatMap((range) => {
    const [first = "", last = first] = range.split("-");
    const numbers = Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i);
    return numbers.flatMap((number) =>
      expandHost(`${before}${String(number).padStart(first.length, "0")}${after}`),
    );
  });
}
