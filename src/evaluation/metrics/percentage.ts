/** 0 of nothing. */
export const percentage = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);
