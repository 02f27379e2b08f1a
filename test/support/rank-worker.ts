// One rank of several that are threads of a process (thread-ranks.ts).
import { parentPort, workerData } from "node:worker_threads";
import { doTask } from "./rank-tasks.ts";
import { ThreadRank } from "./thread-ranks.ts";

const { rank, size, shared, task, given } = workerData;
parentPort!.postMessage(await doTask(new ThreadRank(rank, size, shared), task, given));
