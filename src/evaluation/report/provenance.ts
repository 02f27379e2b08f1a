import { type Markup, markup } from "../../charts/index.ts";
import type { Judging, Result, RunFacts } from "../results/result.ts";

const mostListed = 100;

/** All that made a result, and the questions that its scores leave out. */
export function provenance(result: Result, name: string): Markup {
  const { counts, versions, intervals, run, judging } = result;
  const facts: readonly (readonly [string, string])[] = [
    ["benchmark", `${result.benchmark}, ${result.split}`],
    ["model", result.model],
    ["judge", result.judge ?? "none"],
    ["scored", result.compat ? "with the original's bugs (--compat)" : "without the original's bugs"],
    ["prompts, SHA-256", result.prompts],
    ["sampling", result.sampling ? JSON.stringify(result.sampling) : "answers made elsewhere"],
    ...(run === null ? [] : runFacts(run)),
    ...(judging === null ? [] : judgingFacts(judging)),
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

type Fact = readonly [string, string];

const runFacts = ({ identity, served, limit, usage }: RunFacts): Fact[] => [
  ...(identity === "" ? [] : [["identity", identity] as const]),
  ...(served.length === 0 ? [] : [["answered as", served.join(", ")] as const]),
  ...(limit === null ? [] : [["first questions", String(limit)] as const]),
  [
    "tokens",
    `${usage.promptTokens} read (${usage.imageTokens} of images), ${usage.completionTokens} written`,
  ],
];

const judgingFacts = ({
  requested,
  sampling,
  prompts,
  example,
  read,
  unreadable,
  failed,
}: Judging): Fact[] => [
  ["judge asked for", `${requested}, ${JSON.stringify(sampling)}`],
  ["its prompts, SHA-256", prompts],
  ["its first prompt", example],
  ["its replies", `${read.join(" + ")} read by rounds, ${unreadable} not readable, ${failed} failed`],
];

function omitted(what: string, count: number, lines: readonly string[]): Markup | undefined {
  if (count === 0 && lines.length === 0) return undefined;
  const rest = count - Math.min(lines.length, mostListed);
  return markup`<p><strong>${what}: ${String(count)}</strong></p><p class="question"><bdi>${lines.slice(0, mostListed).join("\n")}</bdi>${rest > 0 && `\n… and ${rest} more`}</p>`;
}
