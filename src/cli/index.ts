export { createProgress } from "./frame/progress.ts";
export { main } from "./main.ts";
