export type { AxisOptions } from "./axes.ts";
export { saveChart } from "./file.ts";
export type { ChartOptions } from "./frame.ts";
export { type HistogramOptions, histogram } from "./histogram.ts";
export { type LineChartOptions, type LineSeries, lineChart } from "./line-chart.ts";
export { Markup, markup, type Piece } from "./markup.ts";
export type { Point } from "./series.ts";
export type { Theme } from "./theme.ts";
