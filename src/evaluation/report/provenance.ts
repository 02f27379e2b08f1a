import { type Markup, markup } from "../../charts/index.ts";
import type { Result } from "../results/result.ts";

const mostListed = 100;

/** All that made a result, and the questions that its scores leave out. */
export function provenance(result: Result, name: string): Markup {
  const { counts, versions, intervals } = result;
  const facts: readonly (readonly [string, string])[] = [
    ["benchmark", `${result.benchmark}, ${result.split}`],
    ["model", result.model],
    ["judge", result.judge ?? "none"],
    ["prompts, SHA-256", result.prompts],
    ["sampling", result.sampling ? JSON.stringify(result.sampling) : "answers made elsewhere"],
    ["llava", versions.llava],
    ["commit", versions.commit ?? "unknown"],
    ["Node", versions.node],
    ["scored at", result.created],
    [
      "intervals",
      `${intervals.resamples} resamples of ${intervals.drawn} of ${intervals.groups} groups, seed ${intervals.seed}`,
    ],
    [
      "counts",
      Object.entries(counts)
        .map(([count, value]) => `${count} ${value}`)
        .join(", "),
    ],
  ];
  return markup`<details><summary>Provenance: <bdi>${name}</bdi></summary>
<dl class="facts">${facts.map(([fact, value]) => markup`<dt>${fact}</dt><dd><bdi>${value}</bdi></dd>`)}</dl>
${omitted(
  "Failed",
  counts.failed,
  result.failures.map(({ id, reason }) => `${id}: ${reason}`),
)}
${omitted("Without an answer", counts.missing, result.missing)}
${omitted("Without a verdict", counts.judgeable - counts.judged, result.unjudged)}</details>
`;
}

function omitted(what: string, count: number, lines: readonly string[]): Markup | undefined {
  if (count === 0 && lines.length === 0) return undefined;
  const rest = count - Math.min(lines.length, mostListed);
  return markup`<p><strong>${what}: ${String(count)}</strong></p><p class="question"><bdi>${lines.slice(0, mostListed).join("\n")}</bdi>${rest > 0 && `\n… and ${rest} more`}</p>`;
}
