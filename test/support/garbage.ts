import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");

/** Collects everything unreachable now, so that counts of living tensors are exact. */
export const collectGarbage = runInNewContext("gc") as () => void;
