import choice from "./choice.ts";
import open from "./open.ts";

export default [...open, ...choice];
