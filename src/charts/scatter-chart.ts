import { extent, max, ticks } from "d3-array";
import { scaleSqrt } from "d3-scale";
import { area as bandShape } from "d3-shape";
import { type AxisOptions, type CartesianPlot, cartesian, clipped, numericAxis } from "./axes.ts";
import { type ChartOptions, frame } from "./frame.ts";
import { placeLabels } from "./labels.ts";
import { type Markup, markup } from "./markup.ts";
import { linearRegression, type Regression } from "./regression.ts";
import type { Point } from "./series.ts";
import { seriesClass } from "./theme.ts";

export interface Dot {
  readonly label: string;
  readonly x: number;
  readonly y: number;
  /** The circle's area is proportional to it; a small circle when left out. */
  readonly size?: number | undefined;
  /** Dots of a kind share a colour and a name in the legend. */
  readonly kind?: string | undefined;
}

export interface ScatterChartOptions extends ChartOptions {
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  /** Draws the least-squares line with slope and r and, from three dots on, its 95 % band. Both axes must be linear. */
  readonly regression?: boolean;
}

const labelSize = 11;
const largest = 24;

/** Labelled circles, with a regression line on request, as SVG. Dots without a finite place are left out. */
export function scatterChart(dots: readonly Dot[], options: ScatterChartOptions): string {
  const { x, y } = options;
  const shown = dots.filter((dot) => Number.isFinite(dot.x) && Number.isFinite(dot.y));
  const points = shown.map((dot): Point => [dot.x, dot.y]);
  const fit = options.regression ? linearRegression(points) : undefined;
  const kinds = [...new Set(shown.flatMap(({ kind }) => kind ?? []))];
  const radius = scaleSqrt()
    .domain([0, max(shown, ({ size }) => size) ?? 1])
    .range([0, largest]);
  return frame({ height: 480, ...options }, kinds.length > 1 ? kinds : [], (area) =>
    cartesian(
      area,
      { x: x.label, y: y.label },
      (range) => numericAxis(withRoom(points.map(([x]) => x)), x, range),
      (range) => numericAxis(withRoom([...points.map(([, y]) => y), ...ends(fit, points)]), y, range),
      (plot) => {
        const circles = shown.map((dot) => ({
          x: plot.x.position(dot.x),
          y: plot.y.position(dot.y),
          radius: dot.size === undefined ? 5 : Math.max(4, radius(dot.size)),
        }));
        const drawn = shown.map((dot, index) => {
          const { x, y, radius } = circles[index]!;
          const colour = seriesClass(Math.max(0, kinds.indexOf(dot.kind ?? "")));
          const size = dot.size !== undefined && `, ${dot.size}`;
          return markup`<circle class="fill line ${colour}" fill-opacity="0.35" stroke-width="1.5" cx="${x}" cy="${y}" r="${radius}"><title>${dot.label}: ${String(dot.x)}, ${String(dot.y)}${size}</title></circle>`;
        });
        const labels = shown.map(({ label }) => label);
        const texts = placeLabels(circles, labels, labelSize, plot.area).map(({ x, y }, index) => {
          const place = markup`x="${x}" y="${y + 4}"`;
          return markup`<text class="halo" stroke-width="3" stroke-linejoin="round" ${place}>${labels[index]}</text><text ${place}>${labels[index]}</text>`;
        });
        const line = fit && markup`${regressionLine(fit, points, plot)}${caption(fit, plot)}`;
        return markup`${line}${clipped(plot.area, markup`${drawn}`)}<g font-size="${labelSize}" text-anchor="middle">${texts}</g>`;
      },
    ),
  );
}

/** Heights of the line at the first and the last dot. */
const ends = (fit: Regression | undefined, points: readonly Point[]): number[] =>
  fit ? (extent(points, ([x]) => x) as [number, number]).map((x) => fit.intercept + fit.slope * x) : [];

/** Ends a little further out, so that circles and labels at the border fit in. */
function withRoom(values: readonly number[]): number[] {
  const [low, high] = extent(values);
  if (low === undefined || high === undefined) return [];
  const margin = (high - low) * 0.08;
  return [low - margin, high + margin];
}

/** From the first to the last dot: beyond them nothing is known. */
function regressionLine(fit: Regression, points: readonly Point[], { area, x, y }: CartesianPlot): Markup {
  const [low, high] = extent(points, ([x]) => x) as [number, number];
  const band = bandShape<number>()
    .x((at) => x.position(at))
    .y0((at) => y.position(fit.band(at)![0]))
    .y1((at) => y.position(fit.band(at)![1]))
    .digits(1);
  const stops = [low, ...ticks(low, high, 60).filter((at) => at > low && at < high), high];
  const height = (at: number): number => y.position(fit.intercept + fit.slope * at);
  return clipped(
    area,
    markup`${fit.band(low) && markup`<path class="fill quiet" fill-opacity="0.16" d="${band(stops) ?? ""}"/>`}<line class="trend" stroke-width="1.5" x1="${x.position(low)}" x2="${x.position(high)}" y1="${height(low)}" y2="${height(high)}"/>`,
  );
}

function caption({ slope, slopeInterval, r, count }: Regression, { area }: CartesianPlot): Markup {
  const interval = slopeInterval ? ` (95 %: ${slopeInterval.map(written).join(" to ")})` : "";
  const text = `slope ${written(slope)}${interval}, r ${r === undefined ? "–" : r.toFixed(2)}, ${count} points`;
  return markup`<text class="quiet" font-size="11" x="${area.right}" y="${area.top - 6}" text-anchor="end">${text}</text>`;
}

const written = (value: number): string => value.toFixed(2).replace("-", "−");
