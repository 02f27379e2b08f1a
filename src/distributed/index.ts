export {
  alone,
  type Communicator,
  exchange,
  meet,
  type Pending,
  type RankGroups,
  sumNumbers,
} from "./communicator.ts";
export { divide, ranksOfGroup } from "./groups.ts";
export { type Group, joinGroup } from "./join-group.ts";
export { launch } from "./launch.ts";
export { nodeOf } from "./place.ts";
export { ProcessGroup } from "./process-group.ts";
export { Watch } from "./watch.ts";
