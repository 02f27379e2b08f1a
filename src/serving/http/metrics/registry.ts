type Labels = Readonly<Record<string, string>>;

/** Metrics in Prometheus' text form (version 0.0.4), under the names that vLLM gives them. */
export class Registry {
  readonly #families = new Map<string, Family>();

  counter(name: string, help: string): Counter {
    return this.#add(new Counter(name, help));
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    return this.#add(new Histogram(name, help, bounds));
  }

  /** Read when the metrics are. */
  gauge(
    name: string,
    help: string,
    read: () => Iterable<readonly [Labels, number]>,
    type: "gauge" | "counter" = "gauge",
  ): void {
    this.#add({
      name,
      help,
      type,
      samples: () => [...read()].map(([labels, value]) => sample(name, labels, value)),
    });
  }

  text(): string {
    return [...this.#families.values()]
      .map(
        ({ name, help, type, samples }) =>
          `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples().join("")}`,
      )
      .join("");
  }

  #add<T extends Family>(family: T): T {
    this.#families.set(family.name, family);
    return family;
  }
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: () => string[];
}

export class Counter implements Family {
  readonly type = "counter";
  readonly name: string;
  readonly help: string;
  readonly #values = new Map<string, number>();

  constructor(name: string, help: string) {
    this.name = name;
    this.help = help;
  }

  add(labels: Labels, amount = 1): void {
    const key = shown(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + amount);
  }

  readonly samples = (): string[] =>
    [...this.#values].map(([labels, value]) => `${this.name}${labels} ${value}\n`);
}

export class Histogram implements Family {
  readonly type = "histogram";
  readonly name: string;
  readonly help: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, { readonly labels: Labels; readonly counts: number[]; sum: number }>();

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#bounds = [...bounds, Number.POSITIVE_INFINITY];
  }

  observe(labels: Labels, value: number): void {
    const key = shown(labels);
    const series = this.#series.get(key) ?? { labels, counts: this.#bounds.map(() => 0), sum: 0 };
    this.#series.set(key, series);
    series.counts[this.#bounds.findIndex((bound) => value <= bound)]! += 1;
    series.sum += value;
  }

  readonly samples = (): string[] =>
    [...this.#series.values()].flatMap(({ labels, counts, sum }) => {
      let total = 0;
      const buckets = counts.map((count, at) => {
        const bound = this.#bounds[at]!;
        total += count;
        return sample(
          `${this.name}_bucket`,
          { ...labels, le: bound === Number.POSITIVE_INFINITY ? "+Inf" : String(bound) },
          total,
        );
      });
      return [
        ...buckets,
        sample(`${this.name}_sum`, labels, sum),
        sample(`${this.name}_count`, labels, total),
      ];
    });
}

const sample = (name: string, labels: Labels, value: number): string => `${name}${shown(labels)} ${value}\n`;

function shown(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
