import { bin, quantileSorted } from "d3-array";
import { scaleLinear } from "d3-scale";
import { type AxisOptions, cartesian, clipped, numericAxis } from "./axes.ts";
import { type ChartOptions, frame } from "./frame.ts";
import { markup } from "./markup.ts";
import { textWidth } from "./text-width.ts";
import { seriesClass } from "./theme.ts";

export interface HistogramOptions extends ChartOptions {
  readonly x: Pick<AxisOptions, "label" | "format" | "include">;
  /** "count" on a linear axis. */
  readonly y?: Pick<AxisOptions, "label" | "scale">;
  /** About how many bars; 40. */
  readonly bins?: number;
  /** Values worth a line across, such as the longest length that is kept. */
  readonly marks?: readonly { readonly value: number; readonly label: string }[];
}

/** How often values fall into ranges of equal, round width, as SVG. Values that are not finite are left out. */
export function histogram(values: Iterable<number>, options: HistogramOptions): string {
  const { x, y = { label: "count" }, marks = [] } = options;
  const finite = Array.from(Float64Array.from(values).filter(Number.isFinite).sort());
  const [first = 0, last = 1] = [finite[0], finite.at(-1)];
  const isWhole = finite.every(Number.isInteger);
  const wanted = Math.min(options.bins ?? 40, isWhole ? Math.max(1, last - first) : Infinity);
  const ends = scaleLinear()
    .domain(last > first ? [first, last] : [first, first + 1])
    .nice(wanted);
  const [low = 0, high = 1] = ends.domain();
  const bins = bin<number, number>()
    .domain([low, high])
    .thresholds(ends.ticks(wanted).filter((edge) => edge > low && edge < high))(finite);
  const median = quantileSorted(finite, 0.5);
  const shown = [...(median === undefined ? [] : [{ value: median, label: "median" }]), ...marks];
  const floor = y.scale === "log" ? 0.8 : 0;
  return frame(options, [], (area) =>
    cartesian(
      area,
      { x: x.label, y: y.label },
      (range) =>
        numericAxis(
          [low, high],
          { ...x, include: [...(x.include ?? []), ...marks.map((m) => m.value)] },
          range,
        ),
      (range) =>
        numericAxis(
          bins.map(({ length }) => length),
          { ...y, include: [floor] },
          range,
        ),
      (plot) => {
        const bottom = plot.area.bottom;
        const bars = bins
          .filter(({ length }) => length > 0)
          .map(({ x0, x1, length }) => {
            const [left, right] = [plot.x.position(x0!), plot.x.position(x1!)];
            const top = plot.y.position(length);
            return markup`<rect class="fill s0" x="${left + 0.5}" y="${top}" width="${Math.max(right - left - 1, 0.5)}" height="${bottom - top}"><title>${`${x0} to ${x1}: ${length}`}</title></rect>`;
          });
        const lines = shown.map(({ value, label }, index) => {
          const at = plot.x.position(value);
          const text = `${label} ${value.toLocaleString("en", { maximumFractionDigits: 2 })}`;
          const fits = at + 5 + textWidth(text, 11) < plot.area.right;
          return markup`<line class="line ${seriesClass(1)}" x1="${at}" x2="${at}" y1="${plot.area.top}" y2="${bottom}" stroke-width="1.5" stroke-dasharray="4 3"/><text font-size="11" x="${at + (fits ? 5 : -5)}" y="${plot.area.top + 11 + index * 15}" text-anchor="${fits ? "start" : "end"}">${text}</text>`;
        });
        return clipped(plot.area, markup`${bars}${lines}`);
      },
    ),
  );
}
