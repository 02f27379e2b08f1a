import { lineRadial, pointRadial } from "d3-shape";
import { type ChartOptions, frame } from "./frame.ts";
import { type Markup, markup } from "./markup.ts";
import { fitted } from "./text-width.ts";
import { dashOf, seriesClass } from "./theme.ts";

export interface RadarAxis {
  readonly name: string;
  /** Values at the centre (0 when left out) and at the rim. */
  readonly low?: number;
  readonly high: number;
}

export interface RadarSeries {
  readonly name: string;
  /** One an axis; undefined leaves a gap. */
  readonly values: readonly (number | undefined)[];
}

const rings = [0.25, 0.5, 0.75, 1];

/** Series over several axes around one centre, each axis with its own ends, as SVG. */
export function radarChart(
  axes: readonly RadarAxis[],
  series: readonly RadarSeries[],
  options: ChartOptions,
): string {
  const names = series.map(({ name }) => name);
  return frame({ height: 520, ...options }, names, ({ left, top, right, bottom }) => {
    const radius = Math.max(10, Math.min((right - left) / 2 - 110, (bottom - top) / 2 - 34));
    const room = Math.max(118, (right - left) / 2 - radius - 16);
    const angle = (index: number): number => (2 * Math.PI * index) / Math.max(1, axes.length);
    const share = (index: number, value: number): number => {
      const { low = 0, high } = axes[index]!;
      return high === low ? 1 : Math.min(1, Math.max(0, (value - low) / (high - low)));
    };
    const web = lineRadial<number>()
      .angle((index) => angle(index))
      .digits(1);
    const around = [...axes.keys(), 0];
    return markup`<g transform="translate(${(left + right) / 2} ${(top + bottom) / 2})">
<g fill="none" stroke-width="1">
${rings.map((ring) => markup`<path class="grid" d="${web.radius(radius * ring)(around) ?? ""}"/>`)}
${axes.map((_, index) => {
  const [x, y] = pointRadial(angle(index), radius);
  return markup`<line class="grid" x2="${x}" y2="${y}"/>`;
})}
</g>
${series.map((each, index) => outline(each, index))}
${axes.map((axis, index) => axisLabel(axis, angle(index), radius, room))}
</g>`;

    function outline({ name, values }: RadarSeries, index: number): Markup {
      const isComplete = axes.every((_, at) => isShown(values[at]));
      const length = (at: number): number => radius * share(at, values[at] ?? 0);
      const path = lineRadial<number>()
        .angle((at) => angle(at))
        .radius(length)
        .defined((at) => isShown(values[at]))
        .digits(1)(around);
      const colour = seriesClass(index);
      return markup`<g><title>${name}</title>${isComplete && markup`<path class="fill ${colour}" fill-opacity="0.1" d="${path ?? ""}"/>`}<path class="line ${colour}" fill="none" stroke-width="2" stroke-linejoin="round" stroke-dasharray="${dashOf(index) || "none"}" d="${path ?? ""}"/>${axes.map(
        (axis, at) => {
          const value = values[at];
          if (!isShown(value)) return undefined;
          const [x, y] = pointRadial(angle(at), length(at));
          return markup`<circle class="fill ${colour}" cx="${x}" cy="${y}" r="3"><title>${name}, ${axis.name}: ${written(value)}</title></circle>`;
        },
      )}</g>`;
    }
  });
}

const isShown = (value: number | undefined): value is number => value !== undefined && Number.isFinite(value);

const written = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 1 });

function axisLabel({ name, low = 0, high }: RadarAxis, angle: number, radius: number, room: number): Markup {
  const [x, y] = pointRadial(angle, radius + 14);
  const anchor = Math.abs(x) < 12 ? "middle" : x > 0 ? "start" : "end";
  const lift = y < -radius * 0.9 ? -12 : y > radius * 0.9 ? 6 : 0;
  return markup`<g text-anchor="${anchor}"><text font-size="12" x="${x}" y="${y + lift + 2}">${fitted(name, 12, room)}</text><text class="quiet" font-size="10" x="${x}" y="${y + lift + 15}">${written(low)}–${written(high)}</text></g>`;
}
