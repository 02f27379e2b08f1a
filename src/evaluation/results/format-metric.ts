import { roundHalfEven } from "../python/index.ts";

/** A number with that many digits after the point, as the originals print it. */
export const formatMetric = (value: number, digits: number): string =>
  Number.isFinite(value) ? roundHalfEven(value, digits).toFixed(digits) : "–";
