/**
 * The t for which `probability` of Student's distribution lies within ±t, by bisection.
 * The distribution function is the finite sum for whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4).
 */
export function twoSidedStudentT(probability: number, degreesOfFreedom: number): number {
  let [low, high] = [0, Math.PI / 2];
  for (let step = 0; step < 60; step++) {
    const angle = (low + high) / 2;
    if (shareWithin(angle, degreesOfFreedom) < probability) low = angle;
    else high = angle;
  }
  return Math.sqrt(degreesOfFreedom) * Math.tan((low + high) / 2);
}

/** Probability of |t| ≤ √degrees · tan(angle). */
function shareWithin(angle: number, degrees: number): number {
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let power = isOdd ? 3 : 2; power <= degrees - 2; power += 2) {
    term *= ((power - 1) / power) * cosine ** 2;
    sum += term;
  }
  return isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}
