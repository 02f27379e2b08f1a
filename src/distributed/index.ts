export { alone, type Communicator, sumNumbers } from "./communicator.ts";
