/** What original scorers leave to Python's own library. */
export { pythonFloat, pythonFloatText, pythonInteger } from "./numbers.ts";
export { PythonRandom } from "./random.ts";
export { roundHalfEven } from "./round.ts";
export { pythonStrings } from "./string-list.ts";
export { pythonText } from "./text.ts";
