import { line } from "d3-shape";
import { type AxisOptions, type CartesianPlot, cartesian, clipped, numericAxis } from "./axes.ts";
import { type ChartOptions, frame } from "./frame.ts";
import { type Markup, markup } from "./markup.ts";
import { type Point, smoothed, thinned } from "./series.ts";
import { dashOf, seriesClass } from "./theme.ts";

export interface LineSeries {
  readonly name: string;
  /** In the order of x. A value that is not finite, or cannot stand on a logarithmic axis, leaves a gap. */
  readonly points: readonly Point[];
}

export interface LineChartOptions extends ChartOptions {
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  /** Weight of the past in a moving average, 0 (none) to below 1; the values themselves then stay as a faint line. */
  readonly smoothing?: number;
}

/** Several series over one pair of axes, as SVG. */
export function lineChart(series: readonly LineSeries[], options: LineChartOptions): string {
  const { x, y, smoothing = 0 } = options;
  const values = (at: 0 | 1) => series.flatMap(({ points }) => points.map((point) => point[at]));
  const names = series.length > 1 ? series.map(({ name }) => name) : [];
  return frame(options, names, (area) =>
    cartesian(
      area,
      { x: x.label, y: y.label },
      (range) => numericAxis(values(0), x, range),
      (range) => numericAxis(values(1), y, range),
      (plot) => {
        const draw = (width: number, opacity: number, of: (points: readonly Point[]) => readonly Point[]) =>
          series.map(({ name, points }, index) => path(of(points), name, index, plot, width, opacity));
        const lines =
          smoothing > 0
            ? [draw(1, 0.25, (points) => points), draw(2, 1, (points) => smoothed(points, smoothing))]
            : draw(2, 1, (points) => points);
        return clipped(plot.area, markup`<g fill="none" stroke-linejoin="round">${lines}</g>`);
      },
    ),
  );
}

function path(
  points: readonly Point[],
  name: string,
  index: number,
  plot: CartesianPlot,
  width: number,
  opacity: number,
): Markup {
  const pixels = points.map(([x, y]): Point => [plot.x.position(x), plot.y.position(y)]);
  const isDrawn = ([x, y]: Point): boolean => Number.isFinite(x) && Number.isFinite(y);
  const draw = line<Point>().defined(isDrawn).digits(1);
  return markup`<path class="line ${seriesClass(index)}" stroke-width="${width}" stroke-opacity="${opacity}" stroke-linecap="round" stroke-dasharray="${dashOf(index) || "none"}" d="${draw(thinned(pixels)) ?? ""}"><title>${name}</title></path>`;
}
