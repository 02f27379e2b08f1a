export { alone, type Communicator, exchange, type Pending, sumNumbers } from "./communicator.ts";
export { type Group, type JoinOptions, joinGroup } from "./join-group.ts";
export { type LaunchOptions, launch } from "./launch.ts";
export { type Node, nodeOf, type Place, placeOf } from "./place.ts";
