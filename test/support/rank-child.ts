// One rank of several processes (process-ranks.ts).
import { once } from "node:events";
import { alone, joinGroup } from "../../src/distributed/index.ts";
import { doTask } from "./rank-tasks.ts";

const [{ task, given }] = (await once(process, "message")) as [{ task: string; given: unknown }];
const patience = Number(process.env["LLAVA_TEST_PATIENCE"] ?? 1800);
const group = await joinGroup({ report: console.error, patience });
try {
  process.send!(await doTask(group?.communicator ?? alone, task, given, group?.reached));
  await group?.leave();
} catch (error) {
  await group?.fail(error);
  console.error(error);
  process.exitCode = 1;
}
process.disconnect();
