/** An answer without space around it and without points at its end, which change nothing of what it says. */
export const plainAnswer = (answer: string): string => answer.trim().replace(/[\s.]+$/, "");
