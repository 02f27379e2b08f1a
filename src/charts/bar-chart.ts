import { scaleBand } from "d3-scale";
import { type Axis, type AxisOptions, cartesian, numericAxis } from "./axes.ts";
import { type ChartOptions, frame } from "./frame.ts";
import { markup } from "./markup.ts";
import { fitted, textWidth } from "./text-width.ts";
import { seriesClass } from "./theme.ts";

interface Bar {
  readonly value: number;
  /** Ends of the confidence interval. */
  readonly low?: number;
  readonly high?: number;
}

export interface BarSeries {
  readonly name: string;
  /** One a category; undefined leaves its place empty. */
  readonly bars: readonly (Bar | undefined)[];
}

export interface BarChartOptions extends ChartOptions {
  readonly x: Pick<AxisOptions, "label" | "format" | "include">;
  /** How values are written at the bars' ends; one digit after the point. */
  readonly format?: (value: number) => string;
}

const barSize = 15;
const groupGap = 10;
const widestName = 220;

/** Lying bars in groups, one a category, with error bars, as SVG. It is as high as its categories need. */
export function barChart(
  categories: readonly string[],
  series: readonly BarSeries[],
  options: BarChartOptions,
): string {
  const { x, format = (value) => value.toFixed(1) } = options;
  const height = options.height ?? 140 + categories.length * (series.length * barSize + groupGap);
  const bars = series.flatMap((each) => each.bars.filter((bar) => bar !== undefined));
  const reach = bars.flatMap(({ value, low = value, high = value }) => [value, low, high]);
  const longest = Math.max(...reach.map((value) => textWidth(format(value), 11)), 0) + 12;
  const names = series.length > 1 ? series.map(({ name }) => name) : [];
  return frame({ ...options, height }, names, (area) =>
    cartesian(
      area,
      { x: x.label, y: "" },
      ([left, right]) =>
        numericAxis(reach, { ...x, include: [0, ...(x.include ?? [])] }, [left, right - longest]),
      (range) => bandAxis(categories, range),
      (plot) => {
        const inner = scaleBand<number>(series.keys(), [
          0,
          bandOf(categories, plot.area).bandwidth(),
        ]).padding(0.12);
        const zero = plot.x.position(0);
        const drawn = series.flatMap(({ name, bars }, index) =>
          categories.map((category, at) => {
            const bar = bars[at];
            if (!bar || !Number.isFinite(bar.value)) return undefined;
            const top = bandOf(categories, plot.area)(at)! + inner(index)!;
            const [end, size] = [plot.x.position(bar.value), inner.bandwidth()];
            const { low = bar.value, high = bar.value } = bar;
            const [from, to, middle] = [plot.x.position(low), plot.x.position(high), top + size / 2];
            const interval = low < high && ` (${format(low)} to ${format(high)})`;
            return markup`<g><title>${category}, ${name}: ${format(bar.value)}${interval}</title><rect class="fill ${seriesClass(index)}" x="${Math.min(zero, end)}" y="${top}" width="${Math.abs(end - zero)}" height="${size}" rx="1.5"/>${
              low < high &&
              markup`<path class="whisker" fill="none" stroke-width="1.25" d="M${from},${middle}H${to}M${from},${middle - 3}v6M${to},${middle - 3}v6"/>`
            }<text font-size="11" x="${Math.max(end, to, zero) + 6}" y="${middle + 4}">${format(bar.value)}</text></g>`;
          }),
        );
        return markup`${drawn}`;
      },
      "x",
    ),
  );
}

const bandOf = (categories: readonly string[], { top, bottom }: { top: number; bottom: number }) =>
  scaleBand<number>(categories.keys(), [top, bottom]).paddingInner(0.2).paddingOuter(0.1);

function bandAxis(categories: readonly string[], [bottom, top]: readonly [number, number]): Axis {
  const band = bandOf(categories, { top, bottom });
  const ticks = categories.map((name, index) => ({
    at: band(index)! + band.bandwidth() / 2,
    text: fitted(name, 11, widestName),
  }));
  return { position: (index) => band(index) ?? top, ticks };
}
