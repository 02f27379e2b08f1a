import { type Markup, markup } from "../../charts/index.ts";
import { LlavaError } from "../../errors.ts";
import { writeAtomically } from "../../files/index.ts";
import { benchmarkSection } from "./benchmark-section.ts";
import { overview } from "./overview.ts";
import { page } from "./page.ts";
import { Pictures } from "./pictures.ts";
import { groupSources, type ReportSource } from "./source.ts";

export interface ReportOptions {
  readonly title?: string;
  /** Where images are looked for that do not lie where the results say. */
  readonly images?: string | undefined;
  /** Worst examples of each result, and flips each way; 12. */
  readonly examples?: number;
  readonly now: Date;
  /** Called with the number of results that are done. */
  readonly onProgress?: (done: number) => void;
}

/** One HTML page about some results that needs nothing else: charts are inline, images embedded, no script, no request. */
export async function buildReport(sources: readonly ReportSource[], options: ReportOptions): Promise<string> {
  if (sources.length === 0) throw new LlavaError("usage", "a report needs at least one result");
  const { title = "Evaluation report", examples = 12, now, onProgress } = options;
  const groups = groupSources(sources);
  const pictures = new Pictures(options.images);
  const sections: Markup[] = [];
  let done = 0;
  for (const group of groups) {
    sections.push(await benchmarkSection(group, { pictures, examples }));
    done += group.sources.length;
    onProgress?.(done);
  }
  const models = [...new Set(sources.map(({ result }) => result.model))];
  const header = markup`<h1>${title}</h1><p class="quiet"><bdi>${models.join(", ")}</bdi></p>
<nav aria-label="Benchmarks">${groups.map(({ title, anchor }) => markup`<a href="#${anchor}">${title}</a>`)}</nav>`;
  const footer = markup`<p>Written ${now.toISOString().slice(0, 16).replace("T", " ")} UTC. Intervals are 95 % intervals.</p>`;
  return page(title, header, markup`${overview(groups)}${sections}`, footer);
}

export const writeReport = async (
  path: string,
  sources: readonly ReportSource[],
  options: ReportOptions,
): Promise<void> =>
  writeAtomically(path, [await buildReport(sources, options)], { code: "data", makesFolder: true });
