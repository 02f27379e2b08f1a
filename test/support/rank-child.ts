// One rank of several processes (process-ranks.ts).
import { once } from "node:events";
import { alone, joinGroup } from "../../src/distributed/index.ts";
import { doTask } from "./rank-tasks.ts";

const [{ task, given, options }] = (await once(process, "message")) as [
  { task: string; given: unknown; options: object },
];
const group = await joinGroup({ report: console.error, ...options });
try {
  process.send!(await doTask(group?.communicator ?? alone, task, given));
  await group?.leave();
} catch (error) {
  await group?.fail(error);
  throw error;
}
process.disconnect();
