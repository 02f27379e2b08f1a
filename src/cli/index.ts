export { main } from "./main.ts";
export { createProgress } from "./progress.ts";
