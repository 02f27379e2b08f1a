import { type Markup, markup } from "../../charts/index.ts";
import { formatMetric } from "../results/format-metric.ts";
import { coverage, type Result, type Score } from "../results/result.ts";

export const headlineOf = (result: Result): Score =>
  result.scores.find(({ name }) => name === result.headline) ?? result.scores[0]!;

/** "85.9 85.1 to 86.7", the interval in small print. */
export const scoreCell = ({ value, low, high, digits }: Score): Markup =>
  markup`<strong>${formatMetric(value, digits)}</strong> <small>${formatMetric(low, digits)} to ${formatMetric(high, digits)}</small>`;

/** "100 %"; what is less stands out. */
export function coverageCell({ counts }: Result): Markup {
  const share = coverage(counts);
  if (share === 1) return markup`100 %`;
  const percent = Math.min(99.9, share * 100).toFixed(1);
  return markup`<span class="partial">${percent} %</span> <small>${String(counts.scored)} of ${String(counts.items)}</small>`;
}

/** Ends of the 95 % interval of a share, after Wilson (1927); wide rather than narrow for part marks. */
export function wilsonInterval(share: number, count: number): readonly [low: number, high: number] {
  if (count === 0) return [0, 1];
  const z2 = 1.959964 ** 2;
  const middle = (share + z2 / (2 * count)) / (1 + z2 / count);
  const reach =
    (Math.sqrt(z2) / (1 + z2 / count)) * Math.sqrt((share * (1 - share)) / count + z2 / (4 * count ** 2));
  return [Math.max(0, middle - reach), Math.min(1, middle + reach)];
}
